import { Inject, Injectable } from '@nestjs/common';
import { type JobView, type Principal, SluiceError, type SubscribeRequest } from '#contracts';
import { parseId } from '#http';
import { JobReader } from '../jobs/job-reader.js';
import { type Sight, sightOf } from '../jobs/sight.js';
import { FactRows } from './fact-rows.js';
import { Feeds } from './feeds.js';
import { type Member, Subscription } from './subscription.js';

/** What a client asks for: everything of its own, or one video. */
export type Wish = { mine: true } | { jobId: string } | { sessionId: string };

export interface Followed {
  subscription: Subscription;
  /** What the client knows, or is told now; the facts after it follow. */
  lastEventId: string;
}

export interface FollowedJob extends Followed {
  view: JobView;
  /** `seq` of the newest durable fact that is in the view. */
  newest: number;
  /** The client knew all of that. */
  upToDate: boolean;
}

interface State {
  view: JobView;
  newest: { position: number; seq: number };
}

/**
 * Begins subscriptions without a gap: join the feed, read the state from rows; the caller tells it, and
 * `begin` sends what has come since. `after`: the last event id that the client has; null: it has nothing.
 */
@Injectable()
export class Following {
  private readonly reads = new Map<string, Promise<State>>();

  constructor(
    @Inject(Feeds) private readonly feeds: Feeds,
    @Inject(FactRows) private readonly rows: FactRows,
    @Inject(JobReader) private readonly jobs: JobReader,
  ) {}

  async job(
    principal: Principal,
    wish: { jobId: string } | { sessionId: string },
    after: number | null,
  ): Promise<FollowedJob> {
    const sessionId = 'sessionId' in wish ? wish.sessionId : principal.sessionId;
    const sight = sightOf(principal);
    const jobId = 'jobId' in wish ? wish.jobId : await this.jobs.jobOfSession(wish.sessionId, sight);
    const feed = this.feeds.job(jobId);
    const subscription = new Subscription(feed);
    feed.subscriptions.add(subscription);
    try {
      let state = await this.state(jobId, sessionId, sight);
      // A read that was shared began before what this client has.
      if (after !== null && after > state.newest.position)
        state = await this.readState(jobId, sessionId, sight);
      const { view, newest } = state;
      feed.begin(view.seq);
      const known = Math.min(after ?? newest.position, newest.position);
      const upToDate = known === newest.position;
      subscription.floor = upToDate ? view.seq : await this.rows.numberAt(jobId, known);
      return { subscription, view, lastEventId: String(known), newest: newest.seq, upToDate };
    } catch (error) {
      this.feeds.leave(subscription);
      throw error;
    }
  }

  async mine(principal: Principal, after: number | null): Promise<Followed> {
    const { tenantId, userId, sessionId } = principal;
    if (sessionId !== null && userId === null) {
      throw new SluiceError('scope_missing', 'A token for one upload follows that one: send its session_id.');
    }
    const feed = this.feeds.tenant(tenantId);
    const subscription = new Subscription(feed, userId);
    feed.subscriptions.add(subscription);
    try {
      if (userId !== null) await feed.beginFor(userId);
      const position = await feed.begin();
      subscription.floor = Math.min(after ?? position, position);
      return { subscription, lastEventId: String(subscription.floor) };
    } catch (error) {
      this.feeds.leave(subscription);
      throw error;
    }
  }

  /** After the client has been told the state. */
  begin(subscription: Subscription, member: Member, knewSomething: boolean): void {
    subscription.member = member;
    void subscription.feed.bringUp(subscription, knewSomething);
  }

  leave(subscription: Subscription): void {
    this.feeds.leave(subscription);
  }

  /** Of those who come back together, as when a gateway has died, all of a job are told what is read once. */
  private state(jobId: string, sessionId: string | null, sight: Sight): Promise<State> {
    const key = JSON.stringify([jobId, sessionId, sight]);
    const reading =
      this.reads.get(key) ?? this.readState(jobId, sessionId, sight).finally(() => this.reads.delete(key));
    this.reads.set(key, reading);
    return reading;
  }

  private async readState(jobId: string, sessionId: string | null, sight: Sight): Promise<State> {
    const view = await this.jobs.view(jobId, sessionId, sight);
    return { view, newest: await this.rows.newestAt(jobId, view.seq) };
  }
}

/** Exactly one of the three of a SubscribeRequest. */
export function parseWish(body: unknown): Wish {
  const request = (typeof body === 'object' && body !== null ? body : {}) as {
    [K in keyof SubscribeRequest]: unknown;
  };
  const given = (['session_id', 'job_id', 'mine'] as const).filter((name) => request[name] !== undefined);
  const [name] = given;
  if (given.length === 1 && name !== undefined) {
    const value = request[name];
    if (name === 'mine' && value === true) return { mine: true };
    if (name === 'session_id' && typeof value === 'string') return { sessionId: parseId(value) };
    if (name === 'job_id' && typeof value === 'string') return { jobId: parseId(value) };
  }
  throw new SluiceError('bad_request', 'Send an object with one of session_id, job_id and mine: true.');
}

/** An event id as a client gives it back; null where it has none. */
export function parseEventId(value: unknown): number | null {
  if (value === undefined || value === null || value === '') return null;
  if (typeof value === 'string' && /^\d{1,15}$/.test(value)) return Number(value);
  throw new SluiceError('malformed_id', 'This is no event id; send the id of the last event as it came.');
}
