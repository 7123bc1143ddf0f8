import type { Fact } from '#contracts';
import type { FactRows } from './fact-rows.js';
import { Feed, type Newest, PAGE } from './feed.js';
import type { Subscription } from './subscription.js';

/** The facts of one job, by their numbers. Each stored one names the durable one before it, so a gap is seen at once. */
export class JobFeed extends Feed {
  private readonly out: Fact[] = [];
  /** The highest number that came by before there was a head. */
  private seen = 0;
  /** The newest progress that came by, stored or not. */
  private latest: Fact | null = null;
  private isTold = true;

  constructor(
    readonly jobId: string,
    private readonly rows: FactRows,
    onError: (error: unknown) => void,
  ) {
    super(onError);
  }

  /** A client knows the job as of `seq`; the first one says where the feed begins. */
  begin(seq: number): void {
    if (this.head !== null) return;
    this.moveTo(seq);
    if (this.seen > seq) this.wake();
  }

  /** From the stream; `flush` sends what fits. */
  offer(fact: Fact): void {
    const { head } = this;
    if (head === null) this.seen = Math.max(this.seen, fact.seq);
    else if (fact.durable) this.offerDurable(fact, head);
    else if (fact.seq >= head && fact.seq >= (this.latest?.seq ?? 0)) this.offerProgress(fact, head);
  }

  flush(): void {
    this.send(this.out.splice(0));
  }

  /** What the stream brought goes before the rows. */
  override wake(): void {
    if (!this.reading) this.flush();
    super.wake();
  }

  protected numberOf(fact: Fact): number {
    return fact.seq;
  }

  protected read(after: number, _userId: string | null, limit: number): Promise<Fact[]> {
    return this.rows.ofJob(this.jobId, after, limit);
  }

  protected next(after: number): Promise<Fact[]> {
    return this.rows.ofJob(this.jobId, after, PAGE);
  }

  /** The floor of who comes back is what the job's view says, and that may be this very progress. */
  protected async newestProgress({ floor }: Subscription): Promise<Newest> {
    if (!this.latest || this.latest.seq < floor) {
      const [stored] = await this.rows.progressOfJob(this.jobId);
      if (stored && stored.seq > (this.latest?.seq ?? 0)) {
        this.latest = stored;
        this.isTold = true;
      }
    }
    const { latest } = this;
    return latest && latest.seq >= floor
      ? { facts: [latest], upTo: latest.previous ?? 0 }
      : { facts: [], upTo: 0 };
  }

  protected isFor(fact: Fact, { floor }: Subscription): boolean {
    return fact.durable || fact.seq >= floor;
  }

  protected caughtUp(): void {
    if (this.reading || this.isTold || !this.latest) return;
    this.isTold = true;
    if (this.latest.seq >= (this.head ?? 0)) this.send([this.latest]);
  }

  private offerDurable(fact: Fact, head: number): void {
    if (fact.seq <= head) return;
    const isNext = fact.id !== undefined && fact.previous !== undefined && fact.previous <= head;
    if (!isNext || this.reading) {
      this.wake();
      return;
    }
    this.moveTo(fact.seq);
    this.out.push(fact);
  }

  private offerProgress(fact: Fact, head: number): void {
    this.latest = fact;
    this.isTold = !this.reading && (fact.previous ?? 0) <= head;
    if (!this.isTold) {
      this.wake();
      return;
    }
    // Of two that go out together the newer one says it all.
    const last = this.out.at(-1);
    if (last && !last.durable && last.event_type === fact.event_type) this.out.pop();
    this.out.push(fact);
  }
}
