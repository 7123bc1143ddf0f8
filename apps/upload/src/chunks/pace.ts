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
  /** When the client became the one to wait for; null while it is not. */
  private since: number | null = null;
  private timer: NodeJS.Timeout | undefined;

  /** `end` is called once at most, with `upload_too_slow`. */
  constructor(
    private readonly limits: PaceLimits,
    private readonly end: (error: Error) => void,
  ) {}

  /** Bytes are wanted. */
  wait(): void {
    this.since ??= performance.now();
    this.timer ??= setTimeout(() => this.look(), this.limits.stallMs);
  }

  /** Bytes came, and more are wanted. */
  took(bytes: number): void {
    const now = performance.now();
    this.waitedMs += now - (this.since ?? now);
    this.since = now;
    this.bytes += bytes;
    if (this.waitedMs < this.limits.stallMs) return;
    if ((1000 * this.bytes) / this.waitedMs < this.limits.minRate) this.end(tooSlow());
    this.waitedMs = 0;
    this.bytes = 0;
  }

  /** The store is the one to wait for. */
  rest(): void {
    this.since = null;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  /** One timer for a body, not one for each of its parts: it looks again when the last of them is old enough. */
  private look(): void {
    const silentMs = this.since === null ? 0 : performance.now() - this.since;
    // Timers count whole milliseconds.
    if (silentMs + 1 >= this.limits.stallMs) this.end(tooSlow());
    else this.timer = setTimeout(() => this.look(), this.limits.stallMs - silentMs);
  }
}

export const tooSlow = (cause?: unknown) =>
  new SluiceError(
    'upload_too_slow',
    'Too few bytes came for too long, so the connection was ended; ask what is missing and go on from there.',
    { cause },
  );
