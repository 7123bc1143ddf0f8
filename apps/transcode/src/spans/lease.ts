import { SluiceError } from '#contracts';

export type Extension = 'held' | 'lost' | 'ended';

/** The job has been cancelled or has failed elsewhere: the work is to stop, and that is no error of its own. */
export class JobEnded extends Error {
  override readonly name = 'JobEnded';
}

const jobEnded = () => new JobEnded('the job has ended');

/** Another worker has the work now, or may have: nothing of ours may be stored any more. */
export const leaseLost = () =>
  new SluiceError('lease_lost', 'The lease of this work has expired; another worker has it now.');

/**
 * Keeps a row's lease alive while its work runs, every third of its time, and aborts `signal` when it is
 * lost, when the job has ended, or when the database has been away for so long that the lease is over.
 */
export class Lease {
  private readonly abort = new AbortController();
  private readonly timer: NodeJS.Timeout;
  private validUntil: number;
  private extending = false;

  constructor(
    private readonly seconds: number,
    private readonly extend: () => Promise<Extension>,
    parent: AbortSignal,
  ) {
    this.validUntil = performance.now() + seconds * 1000;
    this.timer = setInterval(() => void this.tick(), (seconds * 1000) / 3);
    if (parent.aborted) this.abort.abort(parent.reason);
    parent.addEventListener('abort', () => this.abort.abort(parent.reason), { once: true });
  }

  get signal(): AbortSignal {
    return this.abort.signal;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  /** Somebody has said that the job has ended. */
  end(): void {
    this.abort.abort(jobEnded());
  }

  private async tick(): Promise<void> {
    if (performance.now() > this.validUntil) this.abort.abort(leaseLost());
    if (this.extending || this.abort.signal.aborted) return;
    this.extending = true;
    const asked = performance.now();
    try {
      const answer = await this.extend();
      if (answer === 'held') this.validUntil = asked + this.seconds * 1000;
      else this.abort.abort(answer === 'lost' ? leaseLost() : jobEnded());
    } catch {
      // The database is away; the lease itself says how long that may last.
    } finally {
      this.extending = false;
    }
  }
}
