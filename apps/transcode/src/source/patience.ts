import { NotArrived } from '#media';
import type { Waiting } from './chunked-source.js';

/**
 * How long readers of one source wait for bytes: whoever waits too long gives its place to other work.
 * `of`: for one byte, or in all, for a run that can begin again where it stopped.
 */
export class Patience implements Waiting {
  private readonly abort = new AbortController();
  private waiters = 0;
  private began = 0;
  private waited = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly milliseconds: number,
    private readonly of: 'one byte' | 'the run' = 'one byte',
  ) {}

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  isWaiting(): boolean {
    return this.waiters > 0;
  }

  /** A reader seeks by hanging up and asking anew; the last one that waits is the one that counts. */
  begin(offset: number): void {
    if (this.waiters++ === 0) this.began = performance.now();
    clearTimeout(this.timer);
    const left = this.of === 'the run' ? this.milliseconds - this.waited : this.milliseconds;
    this.timer = setTimeout(() => this.abort.abort(new NotArrived(offset)), Math.max(0, left));
  }

  end(): void {
    this.waiters = Math.max(0, this.waiters - 1);
    if (this.waiters > 0) return;
    clearTimeout(this.timer);
    this.waited += performance.now() - this.began;
  }
}
