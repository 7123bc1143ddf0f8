import { NotArrived } from '#media';
import type { Waiting } from './chunked-source.js';

/** How long readers of one source wait for bytes: whoever waits too long gives its place to other work. */
export class Patience implements Waiting {
  private readonly abort = new AbortController();
  private waiters = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(private readonly milliseconds: number) {}

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  isWaiting(): boolean {
    return this.waiters > 0;
  }

  /** A reader seeks by hanging up and asking anew; the last one that waits is the one that counts. */
  begin(offset: number): void {
    this.waiters++;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.abort.abort(new NotArrived(offset)), this.milliseconds);
  }

  end(): void {
    this.waiters = Math.max(0, this.waiters - 1);
    if (this.waiters === 0) clearTimeout(this.timer);
  }
}
