import type { Fact } from '#contracts';
import type { FactRows } from './fact-rows.js';
import { Feed, type Newest, PAGE } from './feed.js';
import type { Subscription } from './subscription.js';

/** Jobs whose numbers are kept; of a forgotten one a late piece of progress may be told. */
const JOBS_AT_MOST = 10_000;
/** Of those who come back together, as when a gateway has died, one reads the progress of all. */
const SHARED_MS = 1000;

/**
 * All facts of a tenant, by their positions, for those who follow all of its uploads or one person's.
 * Durable ones are always taken from rows, which alone know the order among jobs; the stream says when.
 */
export class TenantFeed extends Feed {
  /** Progress that waits, and how many reads had begun when it came: the next one brings what is before it. */
  private readonly out = new Map<string, { fact: Fact; reads: number }>();
  private reads = 0;
  /** Durable facts that came by since the last read: of a job that is removed the rows go with it. */
  private offered: Fact[] = [];
  private readonly shared = new Map<string | null, { newest: Promise<Newest>; at: number }>();
  /** The jobs of the people that are followed here, as far as they have come by. */
  private readonly people = new Map<string, Set<string>>();
  /** The highest number of each job that came by: progress from before it is over. */
  private readonly newest = new Map<string, number>();

  constructor(
    readonly tenantId: string,
    private readonly rows: FactRows,
    onError: (error: unknown) => void,
  ) {
    super(onError);
  }

  /** Where a client begins that knows nothing: what there is now. */
  async begin(): Promise<number> {
    const position = await this.rows.positionOf(this.tenantId);
    if (this.head === null) this.moveTo(position);
    return position;
  }

  async beginFor(userId: string): Promise<void> {
    const known = this.jobsOf(userId);
    for (const jobId of await this.rows.openJobsOf(this.tenantId, userId)) known.add(jobId);
  }

  offer(fact: Fact): void {
    if (this.head === null) return;
    if (fact.durable) {
      if (fact.id !== undefined && this.offered.length < PAGE) this.offered.push(fact);
      this.wake();
      return;
    }
    const newest = this.newest.get(fact.job_id) ?? 0;
    if (fact.seq < newest) return;
    this.out.set(fact.job_id, { fact, reads: this.reads });
    this.remember(fact);
    // What is not stored names none before it; it has the number of what is.
    if ((fact.previous ?? fact.seq) > newest) this.wake();
  }

  flush(): void {
    if (!this.reading) this.caughtUp();
  }

  /** Those who followed only this person have left. */
  forget(userId: string): void {
    if (![...this.subscriptions].some((one) => one.userId === userId)) this.people.delete(userId);
  }

  protected numberOf(fact: Fact): number {
    return Number(fact.id);
  }

  protected async read(after: number, userId: string | null, limit: number): Promise<Fact[]> {
    const people = userId === null ? [...this.people.keys()] : [userId];
    const rows = await this.rows.ofTenant(this.tenantId, after, { only: userId, people, limit });
    // Somebody has come meanwhile: these rows do not say what is theirs.
    if (userId === null && [...this.people.keys()].some((user) => !people.includes(user))) {
      return this.read(after, userId, limit);
    }
    for (const { fact, users } of rows) {
      this.remember(fact);
      for (const user of users) this.people.get(user)?.add(fact.job_id);
    }
    return rows.map(({ fact }) => fact);
  }

  /** Of the offered ones what was committed before this read and is not in it has been removed since. */
  protected async next(after: number): Promise<Fact[]> {
    this.reads += 1;
    const { length } = this.offered;
    const rows = await this.read(after, null, PAGE);
    const offered = this.offered.splice(0, length);
    const end = rows.length < PAGE ? Number.POSITIVE_INFINITY : this.numberOf(rows[PAGE - 1] as Fact);
    const known = new Set(rows.map(({ id }) => id));
    const lost = offered.filter((one) => this.numberOf(one) > after && !known.has(one.id));
    this.offered.unshift(...lost.filter((one) => this.numberOf(one) >= end));
    const removed = lost.filter((one) => this.numberOf(one) < end);
    if (removed.length === 0) return rows;
    return [...rows, ...removed].sort((a, b) => this.numberOf(a) - this.numberOf(b));
  }

  protected async newestProgress({ floor, userId }: Subscription): Promise<Newest> {
    const found = await this.sharedProgress(userId, SHARED_MS);
    const newest = found.upTo < floor ? await this.sharedProgress(userId, 0) : found;
    for (const fact of newest.facts) {
      this.remember(fact);
      if (userId !== null) this.people.get(userId)?.add(fact.job_id);
    }
    if (newest.upTo > (this.head ?? 0)) this.wake();
    return newest;
  }

  protected isFor(fact: Fact, { userId }: Subscription): boolean {
    const isTheirs = userId === null || this.people.get(userId)?.has(fact.job_id) === true;
    return isTheirs && (fact.durable || !this.isOver(fact));
  }

  protected caughtUp(): void {
    const due: Fact[] = [];
    for (const [jobId, { fact, reads }] of this.out) {
      if (this.reading && reads === this.reads) continue;
      this.out.delete(jobId);
      if (!this.isOver(fact)) due.push(fact);
    }
    this.send(due);
  }

  private sharedProgress(userId: string | null, ageMs: number): Promise<Newest> {
    const known = this.shared.get(userId);
    if (known && Date.now() - known.at < ageMs) return known.newest;
    const newest = this.rows.progressOfTenant(this.tenantId, userId);
    const one = { newest, at: Date.now() };
    this.shared.set(userId, one);
    const forget = () => {
      if (this.shared.get(userId) === one) this.shared.delete(userId);
    };
    newest.catch(forget);
    setTimeout(forget, SHARED_MS).unref();
    return newest;
  }

  private isOver({ job_id, seq }: Fact): boolean {
    return seq < (this.newest.get(job_id) ?? 0);
  }

  private remember({ job_id, seq }: Fact): void {
    const known = this.newest.get(job_id) ?? 0;
    this.newest.delete(job_id);
    this.newest.set(job_id, Math.max(known, seq));
    const [oldest] = this.newest.keys();
    if (this.newest.size > JOBS_AT_MOST && oldest !== undefined) this.newest.delete(oldest);
  }

  private jobsOf(userId: string): Set<string> {
    const known = this.people.get(userId) ?? new Set();
    this.people.set(userId, known);
    return known;
  }
}
