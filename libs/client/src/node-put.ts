import { once } from 'node:events';
import { type FileHandle, open } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import { basename } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { aborted, SluiceClientError } from './errors.js';
import { checkFile, DEFAULT_LIMITS, type FileLimits, forMessage, typeOf } from './limits.js';

export interface PutFileOptions {
  /** `Content-Type`; by default what the file's extension says. */
  contentType?: string;
  /** Others that the URL was signed with. */
  headers?: Record<string, string>;
  /** Milliseconds for all of it; an hour by default. */
  timeoutMs?: number;
  /** Milliseconds in which nothing moves; a minute by default. */
  stallMs?: number;
  /** Null: any file. */
  limits?: FileLimits | null;
  signal?: AbortSignal;
  onProgress?(progress: { sent: number; total: number }): void;
}

export interface PutFileResult {
  status: number;
  headers: http.IncomingHttpHeaders;
  bytesSent: number;
}

/** Read at once; so much of the file is in memory, and what the socket holds. */
const PIECE_BYTES = 256 * 1024;
/** A receiver that refuses such a file is heard before it is sent; one that never heard of asking first is not waited for. */
const ASK_FIRST_BYTES = PIECE_BYTES;
const ASK_PATIENCE_MS = 1000;
/** Of an answer that is an error, for `details.body`. */
const BODY_BYTES = 4096;

/**
 * Streams a file to a URL with `PUT`, as signed URLs of object stores and of platforms take it (S2-04).
 * Resolves when it was answered with 200–299. Throws a SluiceClientError, whose `kind` is `validation`,
 * `timeout`, `network`, `http` or `aborted`, and whose `bytesSent` says how much had gone. Whatever
 * happens, the file and the connection are closed. Redirects are not followed: the file would go twice.
 */
export async function putFile(
  path: string,
  to: string,
  options: PutFileOptions = {},
): Promise<PutFileResult> {
  const url = parseUrl(to);
  if (options.signal?.aborted) throw aborted(options.signal.reason);
  const file = await openFile(path);
  const progress = { sent: 0 };
  try {
    const { size } = await sizeOf(file, path);
    const { limits = DEFAULT_LIMITS } = options;
    const contentType = options.contentType ?? typeOf(path);
    if (limits) checkFile({ name: basename(path), size, type: contentType }, limits);
    return await send({ file, size, url, contentType, options, progress });
  } catch (error) {
    throw error instanceof SluiceClientError ? error.withBytesSent(progress.sent) : error;
  } finally {
    await file.close();
  }
}

interface Sending {
  file: FileHandle;
  size: number;
  url: URL;
  contentType: string;
  options: PutFileOptions;
  progress: { sent: number };
}

async function send({ file, size, url, contentType, options, progress }: Sending): Promise<PutFileResult> {
  const stop = new AbortController();
  const forward = () => stop.abort(aborted(options.signal?.reason));
  const request = (url.protocol === 'https:' ? https : http).request(url, {
    method: 'PUT',
    headers: {
      ...options.headers,
      'content-type': contentType,
      'content-length': size,
      ...(size > ASK_FIRST_BYTES ? { expect: '100-continue' } : {}),
    },
    agent: false,
  });
  // Also after the answer, when nobody waits for it any more.
  request.on('error', () => undefined);
  const late = new Late(stop, options);
  options.signal?.addEventListener('abort', forward, { once: true });
  stop.signal.addEventListener('abort', () => request.destroy(stop.signal.reason as Error), { once: true });
  // The first of them decides: an answer may come before the last byte has gone, and ends the sending.
  const answered = once(request, 'response').then(([response]) => response as http.IncomingMessage);
  try {
    const sent = write(request, { file, size, options, progress, late });
    const first = await Promise.race([answered, sent]);
    const response = first ?? (await answered);
    // It is read at the end, or not at all.
    sent.catch(() => undefined);
    return await judge(response, progress.sent);
  } catch (error) {
    throw toClientError(error, stop.signal);
  } finally {
    answered.catch(() => undefined);
    late.end();
    options.signal?.removeEventListener('abort', forward);
    request.destroy();
  }
}

/** Waits for the socket after each piece: what is counted has left this process. */
async function write(
  request: http.ClientRequest,
  {
    file,
    size,
    options,
    progress,
    late,
  }: Pick<Sending, 'file' | 'size' | 'options' | 'progress'> & { late: Late },
): Promise<null> {
  if (size > ASK_FIRST_BYTES) {
    request.flushHeaders();
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ASK_PATIENCE_MS);
      const go = () => {
        clearTimeout(timer);
        resolve();
      };
      request.once('continue', go).once('close', go).once('response', go);
    });
  }
  const piece = Buffer.allocUnsafeSlow(Math.min(PIECE_BYTES, Math.max(size, 1)));
  while (progress.sent < size && !request.destroyed) {
    const { bytesRead } = await file.read(
      piece,
      0,
      Math.min(piece.length, size - progress.sent),
      progress.sent,
    );
    // What has arrived is read before the next write, whose failure would bury an answer that came with it.
    await setImmediate();
    if (bytesRead === 0)
      throw new SluiceClientError('bad_source', 'The file became shorter while it was sent; send it again.');
    await new Promise<void>((resolve, reject) => {
      request.write(piece.subarray(0, bytesRead), (error) => (error ? reject(error) : resolve()));
    });
    progress.sent += bytesRead;
    late.moved();
    options.onProgress?.({ sent: progress.sent, total: size });
  }
  request.end();
  return null;
}

async function judge(response: http.IncomingMessage, bytesSent: number): Promise<PutFileResult> {
  const { statusCode: status = 0, headers } = response;
  let body = '';
  response.setEncoding('utf8');
  try {
    for await (const text of response) {
      body += text;
      if (body.length > BODY_BYTES) break;
    }
  } catch {
    // The status has been said.
  }
  if (status >= 200 && status < 300) return { status, headers, bytesSent };
  throw new SluiceClientError(
    'http_status',
    `The receiver answered with status ${status}; see details.body.`,
    {
      status,
      details: { body: body.slice(0, BODY_BYTES) },
    },
  );
}

/** Ends a request that takes too long as a whole, or in which nothing moves. */
class Late {
  private readonly total: NodeJS.Timeout;
  private readonly stall: NodeJS.Timeout;

  constructor(stop: AbortController, { timeoutMs = 3_600_000, stallMs = 60_000 }: PutFileOptions) {
    const after = (ms: number, what: string) =>
      setTimeout(() => stop.abort(new SluiceClientError('timeout', `${what} within ${ms / 1000} s.`)), ms);
    this.total = after(timeoutMs, 'The file was not sent and answered');
    this.stall = after(stallMs, 'The receiver took nothing and answered nothing');
  }

  moved(): void {
    this.stall.refresh();
  }

  end(): void {
    clearTimeout(this.total);
    clearTimeout(this.stall);
  }
}

function parseUrl(to: string): URL {
  const url = URL.canParse(to) ? new URL(to) : null;
  if (url && ['http:', 'https:'].includes(url.protocol)) return url;
  throw new SluiceClientError('bad_url', 'The file can only be sent to a http:// or https:// URL.');
}

/** Opens a file once, so that what is checked is what is sent. */
async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function sizeOf(file: FileHandle, path: string): Promise<{ size: number }> {
  const stats = await file.stat();
  if (!stats.isFile()) throw notAFile(path);
  return stats;
}

export function unreadable(path: string, cause: unknown): SluiceClientError {
  const missing = (cause as { code?: unknown } | null)?.code === 'ENOENT';
  const name = forMessage(path);
  return missing
    ? new SluiceClientError('file_not_found', `There is no file ${name}; check its name.`, { cause })
    : new SluiceClientError('file_unreadable', `${name} cannot be read; check your rights.`, { cause });
}

export const notAFile = (path: string) =>
  new SluiceClientError('not_a_file', `${forMessage(path)} is not a file; name a video file.`);

function toClientError(error: unknown, signal: AbortSignal): SluiceClientError {
  if (signal.aborted) return signal.reason as SluiceClientError;
  if (error instanceof SluiceClientError) return error;
  const code = String((error as { code?: unknown } | null)?.code ?? 'unknown');
  return new SluiceClientError('network', `The receiver cannot be reached, or hung up (${code}).`, {
    cause: error,
  });
}
