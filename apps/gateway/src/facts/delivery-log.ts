import type { Fact } from '#contracts';

/**
 * Two snapshots of a job that are read at once may differ by the facts of some milliseconds; rows are
 * compared from this far below the first one, and every follower skips what its own snapshot says.
 */
const SNAPSHOT_SKEW = 20;

interface Entry {
  /** Every durable fact up to here has gone out or stands in every follower's snapshot; null before the first one. */
  floor: number | null;
  /** Durable facts above the floor that went out; the stream is not strictly in order of numbers. */
  delivered: Set<number>;
}

/** Which durable facts of the jobs that are followed here have gone out, so that rows can fill what the stream lost. */
export class DeliveryLog {
  private readonly entries = new Map<string, Entry>();

  open(jobId: string): void {
    if (!this.entries.has(jobId)) this.entries.set(jobId, { floor: null, delivered: new Set() });
  }

  /** A follower has a snapshot as of `seq`; the first one says from where rows are compared. */
  begin(jobId: string, seq: number): void {
    const entry = this.entries.get(jobId);
    if (entry) entry.floor ??= seq - SNAPSHOT_SKEW;
  }

  close(jobId: string): void {
    this.entries.delete(jobId);
  }

  /** False for a durable fact that has gone out before. */
  admit(fact: Fact): boolean {
    const entry = this.entries.get(fact.job_id);
    if (!entry || !fact.durable) return true;
    if (fact.seq <= (entry.floor ?? -1) || entry.delivered.has(fact.seq)) return false;
    entry.delivered.add(fact.seq);
    return true;
  }

  /** The rows up to `seq` have been compared and what was missing has gone out. */
  settle(jobId: string, seq: number): void {
    const entry = this.entries.get(jobId);
    if (!entry || entry.floor === null || seq <= entry.floor) return;
    entry.floor = seq;
    for (const delivered of entry.delivered) if (delivered <= seq) entry.delivered.delete(delivered);
  }

  watched(): { jobId: string; floor: number }[] {
    return [...this.entries].flatMap(([jobId, { floor }]) => (floor === null ? [] : [{ jobId, floor }]));
  }
}
