import type { CreateSessionData, CreateSessionRequest, ProfileName, SessionData } from '#contracts';
import { aborted, SluiceClientError } from './errors.js';
import { hashIfKnown } from './known.js';
import { checkFile, type FileLimits, SERVICE_LIMITS } from './limits.js';
import { cutRanges, inOrder, type SendOrder } from './ranges.js';
import { sendRanges } from './sender.js';
import type { UploadSource } from './source.js';
import { Transport } from './transport.js';

export interface SluiceClientOptions {
  /** Base URL of the upload service. */
  uploadUrl: string;
  /** Asked before each request, so that a token may be renewed in the middle of a file; null: none is sent. */
  getToken?: (() => Promise<string | null> | string | null) | undefined;
  fetch?: typeof fetch;
  /**
   * What a file must be before a session is opened for it (S2-01). By default its type, where it has one, and
   * its least size are checked here, and what the service is configured to take by the service; null: nothing here.
   */
  limits?: FileLimits | null;
}

export interface UploadProgress {
  /** Bytes that the service has confirmed. */
  sent: number;
  /** Bytes of the file. */
  total: number;
}

export interface UploadOptions {
  /** Bytes per request; at most, and by default, what the service takes (8 MiB where that is more). */
  chunkSize?: number;
  /** Requests at once, 3 by default. Memory is at most this many chunks. */
  parallel?: number;
  order?: SendOrder;
  signal?: AbortSignal;
  /** Goes on with this session: only what it says is missing is sent. */
  sessionId?: string;
  /** 1–10, 10 first. */
  priority?: number;
  /** SHA-256 of the whole file, lower-case hex: a known file is not sent, and the service verifies it. */
  fileHash?: string;
  /**
   * Bytes. The service is asked whether it may know a file of at least this size, by its first and last MiB;
   * only then is all of it hashed before it is sent, and not sent when it is known. 8 MiB by default:
   * smaller ones are sent sooner than hashed. `Infinity`: never.
   */
  askFrom?: number;
  profile?: ProfileName;
  options?: Record<string, unknown>;
  /** As soon as the session is known, and before anything is sent. */
  onSession?(session: { session_id: string; job_id: string | null }): void;
  onProgress?(progress: UploadProgress): void;
}

type NewSession = Pick<
  CreateSessionRequest,
  | 'filename'
  | 'size'
  | 'content_type'
  | 'file_hash'
  | 'priority'
  | 'profile'
  | 'options'
  | 'chunk_size'
  | 'user_id'
  | 'user_name'
>;

const DEFAULT_CHUNK_SIZE = 8 * 1024 * 1024;
const DEFAULT_PARALLEL = 3;
const DEFAULT_ASK_FROM = 8 * 1024 * 1024;
/** The service lists at most 1,000 missing ranges at a time; a file with more holes needs more rounds. */
const ROUNDS = 1000;

/** Talks to the upload service from a browser or from Node. Every failure is a SluiceClientError. */
export class SluiceClient {
  private readonly transport: Transport;

  private readonly limits: FileLimits | null;

  constructor({
    uploadUrl,
    getToken,
    fetch = globalThis.fetch,
    limits = SERVICE_LIMITS,
  }: SluiceClientOptions) {
    this.limits = limits;
    this.transport = new Transport(uploadUrl, (input, init) => fetch(input, init), getToken);
  }

  createSession(session: NewSession, signal?: AbortSignal): Promise<CreateSessionData> {
    return this.transport.send({
      method: 'POST',
      path: '/v1/upload/video/session',
      body: JSON.stringify(session),
      headers: { 'content-type': 'application/json' },
      signal,
    });
  }

  session(id: string, signal?: AbortSignal): Promise<SessionData> {
    return this.transport.send({ method: 'GET', path: sessionPath(id), signal });
  }

  /** Throws with code `missing_chunks` and `details.missing` when not all bytes are there. */
  complete(id: string, signal?: AbortSignal): Promise<SessionData> {
    return this.transport.send({ method: 'POST', path: `${sessionPath(id)}/complete`, signal });
  }

  async cancel(id: string, signal?: AbortSignal): Promise<void> {
    await this.transport.send({ method: 'DELETE', path: sessionPath(id), signal });
  }

  /**
   * Sends a file and answers with its completed session. An abort leaves the session as it is:
   * upload again with `sessionId`, or cancel it.
   */
  async upload(source: UploadSource, options: UploadOptions = {}): Promise<SessionData> {
    let sent = 0;
    const report = (bytes: number) => {
      sent += bytes;
      options.onProgress?.({ sent, total: source.size });
    };
    try {
      if (options.signal?.aborted) throw aborted(options.signal.reason);
      const opened = await this.open(source, options);
      const { id } = opened;
      let { chunkSize } = opened;
      for (let round = 0; round < ROUNDS; round += 1) {
        const session = await this.session(id, options.signal);
        if (session.status === 'completed') {
          report(source.size - sent);
          return session;
        }
        report(session.bytes_received - sent);
        if (session.missing.length === 0) break;
        const ranges = inOrder([...cutRanges(session.missing, chunkSize)], options.order ?? 'ends-first');
        const parallel = options.parallel ?? DEFAULT_PARALLEL;
        const job = { source, sessionId: id, ranges, parallel, signal: options.signal, onSent: report };
        try {
          await sendRanges(this.transport, job);
        } catch (error) {
          chunkSize = smallerChunks(error, chunkSize);
        }
      }
      for (;;) {
        // `active` once all bytes are there: the service is still hashing a large file, and has made us wait.
        const session = await this.complete(id, options.signal);
        if (session.status !== 'active') return session;
      }
    } catch (error) {
      throw error instanceof SluiceClientError ? error.withBytesSent(sent) : error;
    }
  }

  private async open(
    source: UploadSource,
    options: UploadOptions,
  ): Promise<{ id: string; chunkSize: number }> {
    if (options.sessionId !== undefined) {
      const session = await this.session(options.sessionId, options.signal);
      if (session.size !== source.size) {
        throw new SluiceClientError(
          'bad_source',
          `This is not the file that was being sent; choose ${session.filename}.`,
        );
      }
      options.onSession?.(session);
      return { id: session.session_id, chunkSize: options.chunkSize ?? DEFAULT_CHUNK_SIZE };
    }
    if (this.limits) checkFile(source, this.limits);
    const fileHash = await this.hashOf(source, options);
    const session = await this.createSession(
      {
        filename: source.name,
        size: source.size,
        ...(source.type === undefined ? {} : { content_type: source.type }),
        ...(fileHash === undefined ? {} : { file_hash: fileHash }),
        ...(options.priority === undefined ? {} : { priority: options.priority }),
        ...(options.profile === undefined ? {} : { profile: options.profile }),
        ...(options.options === undefined ? {} : { options: options.options }),
      },
      options.signal,
    );
    options.onSession?.(session);
    const chunkSize = Math.min(options.chunkSize ?? DEFAULT_CHUNK_SIZE, session.max_chunk_size);
    return { id: session.session_id, chunkSize };
  }

  private async hashOf(source: UploadSource, options: UploadOptions): Promise<string | undefined> {
    const { fileHash, askFrom = DEFAULT_ASK_FROM, profile, options: choice, signal } = options;
    if (fileHash !== undefined || source.size < askFrom) return fileHash;
    return hashIfKnown(this.transport, source, { profile, options: choice, signal });
  }
}

/** A resumed session does not say what its service takes, but a refusal does. Any other error is thrown on. */
function smallerChunks(error: unknown, chunkSize: number): number {
  const maximum =
    error instanceof SluiceClientError && error.code === 'chunk_too_large'
      ? error.details?.maximum
      : undefined;
  if (typeof maximum !== 'number' || maximum >= chunkSize) throw error;
  return maximum;
}

const sessionPath = (id: string) => `/v1/upload/video/session/${encodeURIComponent(id)}`;
