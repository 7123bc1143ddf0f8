import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { hashMismatch, lengthMismatch } from '../errors.js';
import type { PutOptions } from '../port.js';

/** A caller's stream, read once from its beginning to its end: counted, hashed and checked on the way. */
export class Body {
  private readonly iterator: AsyncIterator<Buffer>;
  private readonly hash = createHash('sha256');
  private readonly stop: () => void;
  private held: Buffer | null = null;
  private ended = false;
  private failed: { reason: unknown } | null = null;
  /** Bytes that have been taken from the caller. */
  taken = 0;
  /** Of all bytes; known at the end. */
  sha256 = '';

  constructor(
    private readonly source: Readable,
    readonly options: PutOptions,
  ) {
    this.iterator = source.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    // An error that comes while nobody reads is found when somebody does.
    source.on('error', () => undefined);
    this.stop = () => source.destroy();
    if (options.signal?.aborted) this.stop();
    options.signal?.addEventListener('abort', this.stop, { once: true });
  }

  /** The body's own error, or what was wrong with it. */
  get failure(): { reason: unknown } | null {
    return this.failed;
  }

  /** All of it was taken and is what was announced. */
  get isComplete(): boolean {
    return this.ended;
  }

  /** True while there is another byte; false at the end, once all of it has been found to be right. */
  async more(): Promise<boolean> {
    try {
      while (!this.ended && (this.held === null || this.held.length === 0)) await this.pull();
      return !this.ended;
    } catch (error) {
      this.failed ??= { reason: this.options.signal?.aborted ? this.options.signal.reason : error };
      throw this.failed.reason;
    }
  }

  /** The next bytes, at most `limit`. */
  async *take(limit: number): AsyncGenerator<Buffer> {
    for (let left = limit; left > 0 && (await this.more()); ) {
      const held = this.held as Buffer;
      const part = held.subarray(0, left);
      this.held = held.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /**
   * All bytes, the last ones only when everything was found to be right: a store that was promised the
   * whole length never has it from a bad body, and drops what it has.
   */
  async *verified(): AsyncGenerator<Buffer> {
    let last: Buffer | null = null;
    while (await this.more()) {
      if (last) yield last;
      last = this.held;
      this.held = null;
    }
    if (last) yield last;
  }

  close(): void {
    this.options.signal?.removeEventListener('abort', this.stop);
    this.source.destroy();
  }

  private async pull(): Promise<void> {
    const { size, sha256, signal } = this.options;
    const { done, value } = await this.iterator.next();
    signal?.throwIfAborted();
    if (!done) {
      this.taken += value.length;
      if (size !== undefined && this.taken > size) throw lengthMismatch(size, this.taken);
      this.hash.update(value);
      this.held = value;
      return;
    }
    if (size !== undefined && this.taken !== size) throw lengthMismatch(size, this.taken);
    this.sha256 = this.hash.digest('hex');
    if (sha256 !== undefined && this.sha256 !== sha256) throw hashMismatch(sha256, this.sha256);
    this.ended = true;
  }
}
