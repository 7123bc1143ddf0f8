import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { SluiceError } from '#contracts';
import { count } from '#observability';
import { HEAD_BYTES } from '../files/sniff.js';
import { Pace, type PaceLimits } from './pace.js';

/** Requests whose client we no longer wait for: nothing more of them is read, so that they are answered at once. */
const givenUp = new WeakSet<IncomingMessage>();

/**
 * A request's bytes. A client that is gone ends them with `chunk_incomplete`, one that is slower than
 * the limits with `upload_too_slow`. Stopping early leaves the request open, so that it can be answered.
 */
export async function* bytesOf(request: IncomingMessage, limits: PaceLimits): AsyncGenerator<Buffer> {
  const iterator = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  const pace = new Pace(limits);
  try {
    for (;;) {
      const part = await pace.next(iterator.next());
      if (part.done) return;
      yield part.value;
    }
  } catch (error) {
    if (!(error instanceof SluiceError)) throw incomplete(error);
    if (error.code !== 'upload_too_slow') throw error;
    givenUp.add(request);
    count('sluice_upload_chunks_total', { result: 'too_slow' });
    throw error;
  } finally {
    // An iterator that waits for bytes would make its end wait for them too.
    if (!givenUp.has(request)) await iterator.return?.();
  }
}

export const incomplete = (cause?: unknown) =>
  new SluiceError(
    'chunk_incomplete',
    'The connection ended before all announced bytes had arrived; send them again.',
    {
      cause,
    },
  );

/** A body that remembers its first bytes as it flows by. */
export function withHead(bytes: AsyncIterable<Buffer>): { body: Readable; head: () => Buffer } {
  const parts: Buffer[] = [];
  let length = 0;
  const flow = async function* () {
    for await (const part of bytes) {
      if (length < HEAD_BYTES) {
        const first = part.subarray(0, HEAD_BYTES - length);
        parts.push(Buffer.from(first));
        length += first.length;
      }
      yield part;
    }
  };
  return { body: Readable.from(flow(), { objectMode: false }), head: () => Buffer.concat(parts) };
}

/**
 * Reads and forgets what is left of a body before it is answered: a connection that is closed with
 * bytes on their way may lose the answer. Gives up at `maxBytes` or after `maxMs`.
 */
export async function discard(request: IncomingMessage, maxBytes: number, maxMs = 15_000): Promise<void> {
  if (request.readableEnded || request.destroyed || givenUp.has(request)) return;
  await new Promise<void>((resolve) => {
    let left = maxBytes;
    const timer = setTimeout(() => stop(), maxMs);
    const count = (part: Buffer) => {
      left -= part.length;
      if (left < 0) stop();
    };
    const stop = () => {
      clearTimeout(timer);
      request.off('data', count).off('end', stop).off('close', stop).off('error', stop);
      request.pause();
      resolve();
    };
    request.on('data', count).once('end', stop).once('close', stop).once('error', stop);
    request.resume();
  });
}
