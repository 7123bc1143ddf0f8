import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { SluiceError } from '#contracts';
import { count } from '#observability';
import { HEAD_BYTES } from '../files/sniff.js';
import { Pace, type PaceLimits } from './pace.js';

/** One read of a socket: what waits for the store before the connection does. */
const HELD_BYTES = 64 * 1024;

/** Requests whose client we no longer wait for: nothing more of them is read, so that they are answered at once. */
const givenUp = new WeakSet<IncomingMessage>();

/** Who reads a request; whoever empties it has to end that. */
const readers = new WeakMap<IncomingMessage, RequestBody>();

/**
 * A request's bytes. A client that is gone ends them with `chunk_incomplete`, one that is slower than
 * the limits with `upload_too_slow`. Stopping early leaves the request open, so that it can be answered;
 * it is not touched before somebody reads.
 */
class RequestBody extends Readable {
  private begun = false;
  private readonly pace: Pace;
  private readonly onPart = (part: Buffer) => {
    this.pace.took(part.length);
    if (this.push(part)) return;
    this.pace.rest();
    this.request.pause();
  };
  private readonly onEnd = () => {
    this.pace.stop();
    this.request.off('close', this.breakOff);
    this.push(null);
  };
  private readonly breakOff = (cause?: unknown) => this.destroy(incomplete(cause));

  constructor(
    private readonly request: IncomingMessage,
    limits: PaceLimits,
  ) {
    super({ highWaterMark: HELD_BYTES });
    this.pace = new Pace(limits, (error) => {
      givenUp.add(request);
      count('sluice_upload_chunks_total', { result: 'too_slow' });
      this.destroy(error);
    });
    // An error is found by whoever reads, now or later.
    this.on('error', () => undefined);
  }

  override _read(): void {
    this.pace.wait();
    if (this.begun) this.request.resume();
    else this.begin();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.pace.stop();
    const { request } = this;
    request.off('data', this.onPart).off('end', this.onEnd).off('close', this.breakOff);
    // An error of a request that nobody reads any more is nobody's.
    request.off('error', this.breakOff).on('error', () => undefined);
    if (this.begun) request.pause();
    done(error);
  }

  private begin(): void {
    const { request } = this;
    this.begun = true;
    readers.set(request, this);
    if (request.destroyed) {
      this.breakOff();
      return;
    }
    request.once('end', this.onEnd).once('error', this.breakOff).once('close', this.breakOff);
    request.on('data', this.onPart).resume();
  }
}

export const bytesOf = (request: IncomingMessage, limits: PaceLimits): Readable =>
  new RequestBody(request, limits);

export const incomplete = (cause?: unknown) =>
  new SluiceError(
    'chunk_incomplete',
    'The connection ended before all announced bytes had arrived; send them again.',
    {
      cause,
    },
  );

/** Remembers the first bytes of a body as they flow by. */
export function headOf(body: Readable): () => Buffer {
  const parts: Buffer[] = [];
  let left = HEAD_BYTES;
  const keep = (part: Buffer) => {
    const first = part.subarray(0, left);
    parts.push(Buffer.from(first));
    left -= first.length;
    if (left === 0) body.off('data', keep);
  };
  // It flows when somebody takes it, not because we listen.
  body.pause();
  body.on('data', keep);
  return () => Buffer.concat(parts);
}

/**
 * Reads and forgets what is left of a body before it is answered: a connection that is closed with
 * bytes on their way may lose the answer. Gives up at `maxBytes` or after `maxMs`.
 */
export async function discard(request: IncomingMessage, maxBytes: number, maxMs = 15_000): Promise<void> {
  if (request.readableEnded || request.destroyed || givenUp.has(request)) return;
  readers.get(request)?.destroy();
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
