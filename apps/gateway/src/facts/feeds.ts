import { Inject, Injectable } from '@nestjs/common';
import type { PlaybackSigner } from '#access';
import { EVENT_TYPES, type EventType, type Fact } from '#contracts';
import type { ServiceContext } from '#http';
import { CONTEXT, SIGNER } from '../tokens.js';
import { FactRows } from './fact-rows.js';
import { JobFeed } from './job-feed.js';
import type { Subscription } from './subscription.js';
import { TenantFeed } from './tenant-feed.js';

/**
 * A client is written to at most so often, in milliseconds: what comes sooner goes out with the next write, in order.
 * The first fact after a pause goes at once. Writes are what a busy gateway spends most of its time with.
 */
const PACE_MS = 40;
/** How late a write may be. */
const TICK_MS = 10;

type Names = { job: string | undefined; tenant: string | undefined };

/** The feeds that somebody follows in this process, and where the stream's entries go. */
@Injectable()
export class Feeds {
  private readonly jobs = new Map<string, JobFeed>();
  private readonly tenants = new Map<string, TenantFeed>();
  /** Those that have something to send and were sent a moment ago. */
  private readonly paced = new Set<JobFeed | TenantFeed>();
  private timer: NodeJS.Timeout | null = null;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(FactRows) private readonly rows: FactRows,
    @Inject(SIGNER) private readonly signer: PlaybackSigner,
  ) {}

  job(jobId: string): JobFeed {
    const feed = this.jobs.get(jobId) ?? new JobFeed(jobId, this.rows, this.warn);
    this.jobs.set(jobId, feed);
    return feed;
  }

  tenant(tenantId: string): TenantFeed {
    const feed = this.tenants.get(tenantId) ?? new TenantFeed(tenantId, this.rows, this.warn);
    this.tenants.set(tenantId, feed);
    return feed;
  }

  leave(subscription: Subscription): void {
    const { feed, userId } = subscription;
    subscription.left = true;
    feed.subscriptions.delete(subscription);
    if (feed instanceof TenantFeed && userId !== null) feed.forget(userId);
    if (feed.subscriptions.size > 0) return;
    if (feed instanceof JobFeed && this.jobs.get(feed.jobId) === feed) this.jobs.delete(feed.jobId);
    if (feed instanceof TenantFeed && this.tenants.get(feed.tenantId) === feed) {
      this.tenants.delete(feed.tenantId);
    }
  }

  /** Entries of the stream, in its order. What nobody follows here is not even parsed. */
  take(entries: readonly string[][]): void {
    const touched = new Set<JobFeed | TenantFeed>();
    for (const fields of entries) {
      const names = namesOf(fields);
      if (names.job !== undefined && !this.isFollowed(names)) continue;
      const told = parseFact(fields);
      if (!told) {
        this.context.logger.warn(
          { fields: fields[0] },
          'an entry of the stream is not a fact; it is skipped',
        );
        continue;
      }
      const fact = this.signer.sign(told.fact);
      for (const feed of [this.jobs.get(told.fact.job_id), this.tenants.get(told.tenantId)]) {
        if (!feed) continue;
        feed.offer(fact);
        touched.add(feed);
      }
    }
    this.flush(touched);
  }

  /** The rows may have more than the stream brought. */
  async compare(): Promise<void> {
    const jobs = [...this.jobs].flatMap(([jobId, { head }]) => (head === null ? [] : [{ jobId, head }]));
    const tenants = [...this.tenants].flatMap(([tenantId, { head }]) =>
      head === null ? [] : [{ tenantId, head }],
    );
    if (jobs.length > 0) {
      for (const id of await this.rows.jobsBehind(jobs)) this.jobs.get(id)?.wake();
      for (const id of await this.rows.jobsGone(jobs.map(({ jobId }) => jobId))) this.end(id);
    }
    if (tenants.length > 0)
      for (const id of await this.rows.tenantsBehind(tenants)) this.tenants.get(id)?.wake();
  }

  private flush(feeds: Iterable<JobFeed | TenantFeed>): void {
    const now = performance.now();
    for (const feed of feeds) {
      if (now - feed.flushedAt < PACE_MS) {
        this.paced.add(feed);
        continue;
      }
      this.paced.delete(feed);
      feed.flushedAt = now;
      feed.flush();
    }
    if (this.paced.size === 0 || this.timer) return;
    this.timer = setTimeout(() => {
      this.timer = null;
      this.flush([...this.paced]);
    }, TICK_MS).unref();
  }

  /** What ended a job goes with its rows, perhaps before it has gone out. */
  private end(jobId: string): void {
    const feed = this.jobs.get(jobId);
    // Rows cannot bring what waits for its write any more.
    feed?.flush();
    for (const subscription of feed?.subscriptions ?? []) {
      if (!subscription.hasBegun) continue;
      if (subscription.open) subscription.member.jobRemoved(subscription);
      this.leave(subscription);
    }
  }

  private isFollowed({ job, tenant }: Names): boolean {
    return this.jobs.has(job ?? '') || this.tenants.has(tenant ?? '');
  }

  private readonly warn = (error: unknown): void => {
    this.context.logger.warn({ err: error }, 'the rows of facts could not be read; trying again');
  };
}

/** An entry begins with `job …, tenant …`; those of earlier versions have the fact alone. */
const namesOf = ([first, job, second, tenant]: string[]): Names =>
  first === 'job' && second === 'tenant' ? { job, tenant } : { job: undefined, tenant: undefined };

/** The fact of a stream entry, and whose it is; null when it is not one. */
export function parseFact(fields: string[]): { tenantId: string; fact: Fact } | null {
  const at = fields.indexOf('fact');
  try {
    const { tenant_id, fact } = JSON.parse(fields[at + 1] ?? '') as {
      tenant_id?: unknown;
      fact?: Partial<Fact>;
    };
    const sound =
      typeof tenant_id === 'string' &&
      typeof fact?.job_id === 'string' &&
      typeof fact.seq === 'number' &&
      EVENT_TYPES.includes(fact.event_type as EventType);
    return sound
      ? { tenantId: tenant_id, fact: { ...fact, session_id: fact.session_id ?? null } as Fact }
      : null;
  } catch {
    return null;
  }
}
