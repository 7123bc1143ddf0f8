import { setMaxListeners } from 'node:events';
import { SluiceError } from '#contracts';

const TICKS = 20;
/** What hears the signal takes back what it has begun, in a fraction of that. */
const TIDY_MS = 1000;

/**
 * Ends work that moves bytes and runs in no process of its own when none has moved for so long (S4-02). A store
 * that says that it is away is another matter; this is for one that says nothing. A process that stood still
 * itself is no stall: each tick counts for no more than its time.
 */
export class StallWatch {
  private readonly abort = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private idleMs = 0;
  private allowedMs: number;
  private reason: SluiceError | null = null;
  readonly signal: AbortSignal;

  constructor(
    private readonly rule: { graceMs: number; stallMs: number },
    parent: AbortSignal,
  ) {
    const tickMs = rule.stallMs / TICKS;
    this.allowedMs = rule.graceMs + rule.stallMs;
    this.signal = AbortSignal.any([parent, this.abort.signal]);
    // Each of the reads at once listens to it.
    setMaxListeners(0, this.signal);
    this.timer = setInterval(() => {
      this.idleMs += tickMs;
      if (this.idleMs > this.allowedMs) this.end();
    }, tickMs);
  }

  /** Why it ended the work; null when it did not. */
  get stalled(): SluiceError | null {
    return this.reason;
  }

  /** Some bytes have come, or have been taken. */
  moved(): void {
    this.idleMs = 0;
    this.allowedMs = this.rule.stallMs;
  }

  /** The work, or a moment after the signal its reason: a read that hangs in the kernel hears no signal. */
  async during<T>(work: Promise<T>): Promise<T> {
    const ended = new Promise<never>((_, reject) => {
      const onAbort = () => setTimeout(() => reject(this.signal.reason), TIDY_MS).unref();
      if (this.signal.aborted) onAbort();
      this.signal.addEventListener('abort', onAbort, { once: true });
    });
    return Promise.race([work, ended]);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private end(): void {
    const stalledMs = Math.round(this.idleMs);
    this.reason ??= new SluiceError(
      'encode_stalled',
      `No byte has moved for ${Math.round(stalledMs / 1000)} s.`,
      {
        details: { stalled_ms: stalledMs },
      },
    );
    this.abort.abort(this.reason);
  }
}
