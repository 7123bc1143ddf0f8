import type { ChunkData, SessionStatus } from '#contracts';
import { aborted, SluiceClientError } from './errors.js';
import type { Range } from './ranges.js';
import type { UploadSource } from './source.js';
import type { Transport } from './transport.js';

export interface SendJob {
  source: UploadSource;
  sessionId: string;
  ranges: Range[];
  /** Requests at once; memory is at most this many chunks. */
  parallel: number;
  signal?: AbortSignal | undefined;
  /** After each confirmed chunk. */
  onSent(bytes: number): void;
}

/** Sends ranges side by side. The first failure stops the others and is thrown. Answers with the last seen status. */
export async function sendRanges(transport: Transport, job: SendJob): Promise<SessionStatus> {
  const stop = new AbortController();
  const forward = () => stop.abort(job.signal?.reason);
  job.signal?.addEventListener('abort', forward, { once: true });
  let next = 0;
  let status: SessionStatus = 'active';
  const lane = async () => {
    for (let range = job.ranges[next++]; range; range = job.ranges[next++]) {
      if (stop.signal.aborted) throw aborted(stop.signal.reason);
      const data = await sendRange(transport, job, range, stop.signal);
      if (data.status === 'completed') status = data.status;
      job.onSent(range[1] - range[0]);
    }
  };
  try {
    const lanes = Array.from({ length: Math.min(job.parallel, job.ranges.length) }, lane);
    await Promise.all(lanes).catch(async (error: unknown) => {
      stop.abort(error);
      await Promise.allSettled(lanes);
      throw error;
    });
    return status;
  } finally {
    job.signal?.removeEventListener('abort', forward);
  }
}

async function sendRange(
  transport: Transport,
  { source, sessionId }: SendJob,
  [start, end]: Range,
  signal: AbortSignal,
): Promise<ChunkData> {
  const bytes = await readRange(source, start, end);
  return transport.send<ChunkData>({
    method: 'PUT',
    path: `/v1/upload/video/session/${sessionId}/bytes/${start}`,
    body: bytes,
    headers: { 'content-type': 'application/octet-stream', 'x-content-sha256': await sha256(bytes) },
    signal,
  });
}

/** Throws `bad_source` when it cannot be read, or is not as long as it was. */
export async function readRange(
  source: UploadSource,
  start: number,
  end: number,
): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const read = await source.read(start, end);
    const bytes =
      read instanceof Blob ? new Uint8Array(await read.arrayBuffer()) : (read as Uint8Array<ArrayBuffer>);
    if (bytes.byteLength === end - start) return bytes;
  } catch (error) {
    throw new SluiceClientError('bad_source', `${source.name} cannot be read; choose the file again.`, {
      cause: error,
    });
  }
  throw new SluiceClientError(
    'bad_source',
    `${source.name} has changed while it was being sent; choose the file again.`,
  );
}

/** Lower-case hex. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
