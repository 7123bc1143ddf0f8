import { NotArrived } from '#media';
import type { Waiting } from './chunked-source.js';

export interface PatienceOptions {
  /** So long readers wait in any case. */
  milliseconds: number;
  /** For one byte, or in all, for a run that can begin again where it stopped. */
  of?: 'one byte' | 'the run';
  /** Whether other work waits for the place: until it does, readers go on waiting, up to a minute more. */
  isWanted?: () => Promise<boolean>;
}

const ASK_AGAIN_MS = 500;
/** Memory is held all the while. */
const LONGEST_WAIT_MS = 60_000;

/**
 * How long readers of one source wait for bytes: whoever waits too long gives its place to other work, and
 * beginning again costs something, so that a place which nobody wants is kept.
 */
export class Patience implements Waiting {
  private readonly abort = new AbortController();
  private readonly milliseconds: number;
  private readonly of: 'one byte' | 'the run';
  private readonly isWanted: () => Promise<boolean>;
  private waiters = 0;
  /** Which of all waits this is. */
  private turn = 0;
  private began = 0;
  private waited = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor({ milliseconds, of = 'one byte', isWanted = async () => true }: PatienceOptions) {
    this.milliseconds = milliseconds;
    this.of = of;
    this.isWanted = isWanted;
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  isWaiting(): boolean {
    return this.waiters > 0;
  }

  /** A reader seeks by hanging up and asking anew; the last one that waits is the one that counts. */
  begin(offset: number): void {
    if (this.waiters++ === 0) this.began = performance.now();
    const left = this.of === 'the run' ? this.milliseconds - this.waited : this.milliseconds;
    this.ask(offset, ++this.turn, left);
  }

  end(): void {
    this.waiters = Math.max(0, this.waiters - 1);
    if (this.waiters > 0) return;
    this.turn++;
    clearTimeout(this.timer);
    this.waited += performance.now() - this.began;
  }

  private ask(offset: number, turn: number, inMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.decide(offset, turn), Math.max(0, inMs));
  }

  private async decide(offset: number, turn: number): Promise<void> {
    const isOver = performance.now() - this.began > LONGEST_WAIT_MS;
    // A database that is away cannot say who else there is.
    const goes = isOver || (await this.isWanted().catch(() => false));
    if (turn !== this.turn) return;
    if (goes) this.abort.abort(new NotArrived(offset));
    else this.ask(offset, turn, ASK_AGAIN_MS);
  }
}
