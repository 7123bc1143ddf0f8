import type { Fact } from '#contracts';
import type { Bundle } from './bundle.js';
import type { Feed } from './feed.js';

/** A client's connection, as the feeds see it. */
export interface Member {
  readonly open: boolean;
  /** What it has been given and has not taken is more than it may be. */
  readonly congested: boolean;
  send(bundle: Bundle): void;
  /** Resolves when it takes more again, or is closed. */
  drained(): Promise<void>;
  /** The job of this subscription has been removed, and there will be nothing more. */
  jobRemoved(subscription: Subscription): void;
}

/**
 * A client's place in a feed: every durable fact up to `floor` has been sent, or is known to the client.
 * Who is not `live` is brought up from rows: who comes back, and who was too slow to be sent each fact.
 */
export class Subscription {
  live = false;
  left = false;
  floor = 0;
  /** The newest progress of each job that went out while it was not live. */
  readonly missed = new Map<string, Fact>();
  private client: Member | null = null;

  constructor(
    readonly feed: Feed,
    /** Of a tenant's facts those of this person's uploads only; null: all. */
    readonly userId: string | null = null,
  ) {}

  get open(): boolean {
    return !this.left && this.member.open;
  }

  get hasBegun(): boolean {
    return this.client !== null;
  }

  /** Who is sent the facts, from when the subscription begins. */
  get member(): Member {
    if (!this.client) throw new Error('a subscription that has not begun has nobody to send to');
    return this.client;
  }

  set member(client: Member) {
    this.client = client;
  }
}
