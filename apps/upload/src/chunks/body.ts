import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { SluiceError } from '#contracts';
import { HEAD_BYTES } from '../files/sniff.js';
import { STALL_MS } from '../settings.js';

/**
 * A request's bytes. A client that is gone, or sends nothing for `stallMs` while we wait for it, ends
 * them with `chunk_incomplete`. Stopping early leaves the request open, so that it can be answered.
 */
export async function* bytesOf(request: IncomingMessage, stallMs = STALL_MS): AsyncGenerator<Buffer> {
  const iterator = request.iterator({ destroyOnReturn: false })[Symbol.asyncIterator]();
  // The clock only runs while the client is the one to wait for.
  const next = async () => {
    const timer = setTimeout(() => request.destroy(incomplete()), stallMs);
    try {
      return await iterator.next();
    } finally {
      clearTimeout(timer);
    }
  };
  try {
    for (let part = await next(); !part.done; part = await next()) yield part.value as Buffer;
  } catch (error) {
    throw error instanceof SluiceError ? error : incomplete(error);
  } finally {
    await iterator.return?.();
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
  if (request.readableEnded || request.destroyed) return;
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
