import { NotArrived } from '#media';
import type { Waiting } from './chunked-source.js';

export interface PatienceOptions {
  /** So long readers wait in any case. */
  milliseconds: number;
  /** For one byte, or in all, for a run that can begin again where it stopped. */
  of?: 'one byte' | 'the run';
  /** Bytes from here on are read ahead of what is needed: who waits for them is still at work. */
  enough?: number;
  /** So long a run may take until it has begun to work, which `renew` says; beginning again would not help it. */
  startMs?: number;
  /** Whether other work waits for the place: until it does, readers go on waiting, up to a minute more. */
  isWanted?: () => Promise<boolean>;
}

const ASK_AGAIN_MS = 500;
/** Memory is held all the while. */
const LONGEST_WAIT_MS = 60_000;
/** A run that waits for most of its time, if never for long, leaves when it waits for so long. */
const MOSTLY = { share: 0.5, milliseconds: 1000 };

/**
 * How long readers of one source wait for bytes: whoever waits too long gives its place to other work, and
 * beginning again costs something, so that a place which nobody wants is kept.
 */
export class Patience implements Waiting {
  private readonly abort = new AbortController();
  private readonly milliseconds: number;
  private readonly of: 'one byte' | 'the run';
  private readonly isWanted: () => Promise<boolean>;
  private readonly enough: number;
  private startMs: number;
  private readonly born = performance.now();
  private waiters = 0;
  /** Which of all waits this is. */
  private turn = 0;
  private began = 0;
  private offset = 0;
  private waited = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor({ milliseconds, of = 'one byte', isWanted = async () => true, ...rest }: PatienceOptions) {
    this.milliseconds = milliseconds;
    this.of = of;
    this.isWanted = isWanted;
    this.enough = rest.enough ?? Number.POSITIVE_INFINITY;
    this.startMs = rest.startMs ?? 0;
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
    this.offset = offset;
    this.ask(offset, ++this.turn, this.left());
  }

  /**
   * Who still works on what it has read does not only wait: sockets hold seconds of video, and a slow encoder
   * takes longer for them than it may wait. Not of a run that can begin again where it stopped.
   */
  renew(): void {
    this.startMs = 0;
    if (this.waiters === 0 || this.of === 'the run') return;
    this.began = performance.now();
    this.ask(this.offset, ++this.turn, this.left());
  }

  end(): void {
    this.waiters = Math.max(0, this.waiters - 1);
    if (this.waiters > 0) return;
    this.turn++;
    clearTimeout(this.timer);
    this.waited += performance.now() - this.began;
  }

  private left(): number {
    if (this.of === 'the run') return this.milliseconds - this.waited;
    const isMostlyWaiting =
      this.waited > this.milliseconds && this.waited > MOSTLY.share * (performance.now() - this.born);
    return isMostlyWaiting ? Math.min(MOSTLY.milliseconds, this.milliseconds) : this.milliseconds;
  }

  private ask(offset: number, turn: number, inMs: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => void this.decide(offset, turn), Math.max(0, inMs));
  }

  private async decide(offset: number, turn: number): Promise<void> {
    const waited = performance.now() - this.began;
    if (waited < this.startMs) return this.ask(offset, turn, ASK_AGAIN_MS);
    const isOver = waited > LONGEST_WAIT_MS;
    // A database that is away cannot say who else there is.
    const goes = isOver || (offset < this.enough && (await this.isWanted().catch(() => false)));
    if (turn !== this.turn) return;
    if (goes) this.abort.abort(new NotArrived(offset));
    else this.ask(offset, turn, ASK_AGAIN_MS);
  }
}
