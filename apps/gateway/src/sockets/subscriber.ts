import { Inject, Injectable } from '@nestjs/common';
import { SluiceError, type SubscribeAck } from '#contracts';
import { Following, parseEventId, parseWish, type Wish } from '../facts/following.js';
import type { Subscription } from '../facts/subscription.js';
import { type Client, SUBSCRIPTIONS_AT_MOST } from './client.js';

const MINE = 'mine';
const keyOf = (wish: Wish): string =>
  'mine' in wish ? MINE : 'jobId' in wish ? `job:${wish.jobId}` : `session:${wish.sessionId}`;

type Announce = (answer: Extract<SubscribeAck, { ok: true }>, isNew: boolean) => void;

/** `subscribe` and `unsubscribe` of a connection. A session's subscription is one to its job. */
@Injectable()
export class Subscriber {
  constructor(@Inject(Following) private readonly following: Following) {}

  async subscribe(client: Client, body: unknown, announce: Announce): Promise<void> {
    const wish = parseWish(body);
    const after = parseEventId((body as { last_event_id?: unknown }).last_event_id);
    const key = keyOf(wish);
    refuseUnlessFree(client, key);
    if ('mine' in wish) {
      const { subscription, lastEventId } = await this.following.mine(client.principal, after);
      this.adopt(client, key, subscription, after);
      announce({ ok: true, last_event_id: lastEventId }, after === null);
      this.following.begin(subscription, client, true);
      return;
    }
    const followed = await this.following.job(client.principal, wish, after);
    const { subscription, view, lastEventId } = followed;
    this.adopt(client, key, subscription, after);
    announce({ ok: true, snapshot: view, last_event_id: lastEventId }, after === null);
    this.following.begin(subscription, client, after !== null);
  }

  unsubscribe(client: Client, body: unknown): void {
    const key = keyOf(parseWish(body));
    const subscription = client.subscriptions.get(key);
    client.subscriptions.delete(key);
    if (subscription && ![...client.subscriptions.values()].includes(subscription)) {
      this.following.leave(subscription);
    }
  }

  leave(client: Client): void {
    for (const subscription of client.subscriptions.values()) this.following.leave(subscription);
    client.subscriptions.clear();
  }

  /** One subscription for each feed: who asks for a session and for its job hears each fact once. */
  private adopt(client: Client, key: string, subscription: Subscription, after: number | null): void {
    if (!client.open) {
      this.following.leave(subscription);
      throw new SluiceError('bad_request', 'The connection is closed.');
    }
    for (const [other, old] of [...client.subscriptions]) {
      if (old.feed !== subscription.feed) continue;
      // What has been sent is not sent again, unless that is what is asked for.
      if (after === null) subscription.floor = Math.max(subscription.floor, old.floor);
      this.following.leave(old);
      client.subscriptions.set(other, subscription);
    }
    client.subscriptions.set(key, subscription);
  }
}

/** The id that a client comes back with counts for one order of facts: that of `mine`, or each job's own. */
function refuseUnlessFree({ subscriptions }: Client, key: string): void {
  if (subscriptions.has(key)) return;
  if (subscriptions.has(MINE) || (key === MINE && subscriptions.size > 0)) {
    throw new SluiceError('bad_request', 'A connection follows either mine or single videos; open another.');
  }
  if (subscriptions.size >= SUBSCRIPTIONS_AT_MOST) {
    throw new SluiceError(
      'bad_request',
      `A connection follows at most ${SUBSCRIPTIONS_AT_MOST} videos; open another.`,
    );
  }
}
