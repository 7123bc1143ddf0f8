import { SluiceError } from '#contracts';

/** How slow a client may be before its connection is ended. */
export interface PaceLimits {
  /** Silence that ends it; also the time over which the rate is taken. */
  stallMs: number;
  /** Bytes per second on the average of that time; 0: any. */
  minRate: number;
}

/**
 * Watches one body. Its clock runs only while the client is the one to wait for: a store that is slow
 * makes nobody too slow, and neither does a tunnel that is shorter than `stallMs`.
 */
export class Pace {
  private waitedMs = 0;
  private bytes = 0;

  constructor(private readonly limits: PaceLimits) {}

  /** Rejects with `upload_too_slow`; then the promise may still be on its way, and its end is of no interest. */
  async next(part: Promise<IteratorResult<Buffer>>): Promise<IteratorResult<Buffer>> {
    const from = performance.now();
    const got = await this.withinStall(part);
    this.waitedMs += performance.now() - from;
    this.bytes += got.done ? 0 : got.value.length;
    if (!got.done && this.waitedMs >= this.limits.stallMs) this.judge();
    return got;
  }

  private withinStall(part: Promise<IteratorResult<Buffer>>): Promise<IteratorResult<Buffer>> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(tooSlow()), this.limits.stallMs);
      part.then(resolve, reject).finally(() => clearTimeout(timer));
    });
  }

  private judge(): void {
    if ((1000 * this.bytes) / this.waitedMs < this.limits.minRate) throw tooSlow();
    this.waitedMs = 0;
    this.bytes = 0;
  }
}

export const tooSlow = (cause?: unknown) =>
  new SluiceError(
    'upload_too_slow',
    'Too few bytes came for too long, so the connection was ended; ask what is missing and go on from there.',
    { cause },
  );
