import type { SluiceError } from '#contracts';

/**
 * The bytes of a request for as long as they come. A connection that breaks and a signal that asks to
 * let go are ends like any other here: what came before is kept.
 */
export class Arriving implements AsyncIterable<Buffer> {
  /** Why it ended early; null when all of the body came. */
  cut: unknown = null;

  constructor(
    private readonly bytes: AsyncIterable<Buffer>,
    private readonly signal: AbortSignal,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    const iterator = this.bytes[Symbol.asyncIterator]();
    let wake: () => void = () => undefined;
    const stop = () => wake();
    this.signal.addEventListener('abort', stop);
    try {
      while (!this.signal.aborted) {
        // A promise of its own each time: racing one that lasts would keep every answer in memory.
        const part = await new Promise<IteratorResult<Buffer> | null>((resolve, reject) => {
          wake = () => resolve(null);
          iterator.next().then(resolve, reject);
        });
        if (part === null) break;
        if (part.done) return;
        yield part.value;
      }
      this.cut = this.signal.reason as SluiceError;
    } catch (error) {
      this.cut = error;
    } finally {
      this.signal.removeEventListener('abort', stop);
      const closed = iterator.return?.();
      // While bytes are waited for it would wait too.
      if (this.signal.aborted) closed?.catch(() => undefined);
      else await closed;
    }
  }
}
