import type { Socket } from 'socket.io';
import { SluiceError } from '#contracts';
import { Follower, type Topic } from '../facts/follower.js';

/** Subscriptions of one connection: a page with this many videos at once is no page. */
export const SUBSCRIPTIONS_AT_MOST = 256;
/** Packets that may wait for one slow connection before it is dropped; it gets a snapshot when it is back. */
const BACKLOG_AT_MOST = 2000;

/** One connection: what it asked for, and its requests one after the other. */
export class Client {
  readonly follower: Follower;
  /** What was asked for → the job that it led to. */
  readonly subscriptions = new Map<Topic, string>();
  private last: Promise<void> = Promise.resolve();
  private waiting = 0;

  constructor(readonly socket: Socket) {
    this.follower = new Follower((fact) => socket.emit(fact.event_type, fact));
  }

  /** Requests of a connection take turns, so that only one snapshot is in the making. */
  async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.waiting >= SUBSCRIPTIONS_AT_MOST) {
      throw new SluiceError(
        'bad_request',
        'Too many requests wait on this connection; send the next after an answer.',
      );
    }
    this.waiting += 1;
    const result = this.last.then(work);
    this.last = result.then(
      () => undefined,
      () => undefined,
    );
    try {
      return await result;
    } finally {
      this.waiting -= 1;
    }
  }

  dropWhenSlow(): void {
    const connection = this.socket.conn as unknown as { writeBuffer: unknown[] };
    if (connection.writeBuffer.length > BACKLOG_AT_MOST) this.socket.disconnect(true);
  }
}
