import { setTimeout as sleep } from 'node:timers/promises';
import type { Fact } from '#contracts';
import { count } from '#observability';
import { Bundle } from './bundle.js';
import type { Subscription } from './subscription.js';

/** Rows of one read. */
export const PAGE = 500;
/** Of one write to a client that is brought up: what it has not taken stays in rows. */
const PAGE_OF_ONE = 50;
/** Postgres is away; the clients keep what they have meanwhile. */
const RETRY_MS = 500;

/** The newest progress as one read found it: it follows all durable facts up to a place. */
export interface Newest {
  facts: readonly Fact[];
  upTo: number;
}

/**
 * The durable facts of one job or tenant in their order, to those who follow it here: each once, none left
 * out. `head` says how far they have gone out. The stream brings the next one at once; whatever does not
 * fit on to the head is taken from rows. Progress is state: the newest counts, and it has no place in the order.
 */
export abstract class Feed {
  readonly subscriptions = new Set<Subscription>();
  /** When `flush` was called last, on the monotonic clock. */
  flushedAt = Number.NEGATIVE_INFINITY;
  protected reading = false;
  private again = false;
  private end: number | null = null;

  constructor(protected readonly onError: (error: unknown) => void) {}

  /** The place of a durable fact in this feed's order. */
  protected abstract numberOf(fact: Fact): number;
  /** The durable ones above `after` in order, at most `limit`; of one person's uploads, or all. */
  protected abstract read(after: number, userId: string | null, limit: number): Promise<Fact[]>;
  /** What goes out next, to all: at most PAGE. */
  protected abstract next(after: number): Promise<Fact[]>;
  /** What is to be known beside the durable facts. */
  protected abstract newestProgress(subscription: Subscription): Promise<Newest>;
  /** That it is for this client, and not older than what it knows. */
  protected abstract isFor(fact: Fact, subscription: Subscription): boolean;
  /** The rows are out, up to the head; while `reading` there may be more. */
  protected abstract caughtUp(): void;
  /** Sends what was offered and fits. */
  abstract flush(): void;

  /** Every durable fact up to here is out; null while nobody has said where to begin. */
  get head(): number | null {
    return this.end;
  }

  protected moveTo(head: number): void {
    this.end = head;
  }

  /** There are rows above the head, or may be. */
  wake(): void {
    if (this.end === null) return;
    this.again = true;
    if (!this.reading) void this.advance();
  }

  /**
   * Sends what is above the subscription's floor, then lets it live. Resolves then, or when it has ended.
   * `progress`: the newest is sent as well, because its client may have missed some.
   */
  async bringUp(subscription: Subscription, progress: boolean): Promise<void> {
    subscription.live = false;
    let owed = progress;
    let newest: Newest | null = null;
    while (subscription.open) {
      try {
        if (subscription.member.congested) await subscription.member.drained();
        const head = Math.max(this.end ?? 0, newest?.upTo ?? 0);
        if (subscription.floor < head) {
          const facts = await this.read(subscription.floor, subscription.userId, PAGE_OF_ONE);
          this.hand(subscription, facts);
          const last = facts.at(-1);
          // Between the floor and the head there is nothing (more) for this client, or the rows have been removed.
          subscription.floor =
            facts.length === PAGE_OF_ONE && last ? this.numberOf(last) : Math.max(head, this.last(facts));
        } else if (owed) {
          subscription.missed.clear();
          newest = await this.newestProgress(subscription);
          owed = false;
        } else {
          // What was offered before is missed, not sent after what is newer.
          this.flush();
          const progress = new Map(newest?.facts.map((fact) => [fact.job_id, fact]));
          for (const [jobId, fact] of subscription.missed) progress.set(jobId, fact);
          subscription.missed.clear();
          this.hand(
            subscription,
            [...progress.values()].filter((fact) => this.isFor(fact, subscription)),
          );
          subscription.live = true;
          return;
        }
      } catch (error) {
        this.onError(error);
        await sleep(RETRY_MS);
      }
    }
  }

  /** To all that are live; the head is behind the last of them. */
  protected send(facts: readonly Fact[]): void {
    if (facts.length === 0) return;
    const bundle = new Bundle(facts);
    for (const subscription of this.subscriptions) {
      if (!subscription.live) {
        for (const fact of facts) if (!fact.durable) subscription.missed.set(fact.job_id, fact);
        continue;
      }
      const own = this.ownOf(bundle, subscription);
      if (own.facts.length > 0) subscription.member.send(own);
      subscription.floor = Math.max(subscription.floor, this.end ?? 0);
      if (!subscription.member.congested) continue;
      count('sluice_slow_clients_total', {});
      void this.bringUp(subscription, true);
    }
  }

  /** Who was brought up from rows may be ahead of the stream. */
  private ownOf(bundle: Bundle, subscription: Subscription): Bundle {
    return bundle.only(
      (fact) => (!fact.durable || this.numberOf(fact) > subscription.floor) && this.isFor(fact, subscription),
    );
  }

  private hand(subscription: Subscription, facts: readonly Fact[]): void {
    if (facts.length > 0 && subscription.open) subscription.member.send(new Bundle(facts));
  }

  private last(facts: readonly Fact[]): number {
    const last = facts.at(-1);
    return last ? this.numberOf(last) : 0;
  }

  private async advance(): Promise<void> {
    this.reading = true;
    while (this.again && this.subscriptions.size > 0) {
      this.again = false;
      try {
        const facts = await this.next(this.end ?? 0);
        if (facts.length > 0) this.moveTo(this.last(facts));
        this.send(facts);
        if (facts.length < PAGE) this.caughtUp();
        else this.again = true;
      } catch (error) {
        this.onError(error);
        this.again = true;
        await sleep(RETRY_MS);
      }
    }
    this.reading = false;
    this.caughtUp();
  }
}
