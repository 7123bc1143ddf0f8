import type { Socket } from 'socket.io';
import { EVENT_VERSIONS, type Principal, SluiceError } from '#contracts';
import type { Bundle } from '../facts/bundle.js';
import type { Member, Subscription } from '../facts/subscription.js';
import { jobNotFound } from '../jobs/job-reader.js';

/** Subscriptions of one connection: a page with this many videos at once is no page. */
export const SUBSCRIPTIONS_AT_MOST = 256;
/** Bytes that may wait for one slow connection; more than that is read from rows when it has taken them. */
const BYTES_AT_MOST = 256 * 1024;

/** One connection: what it asked for, and its requests one after the other. */
export class Client implements Member {
  /** What was asked for (`mine`, or the id of a session or job) → the subscription that it led to. */
  readonly subscriptions = new Map<string, Subscription>();
  private last: Promise<void> = Promise.resolve();
  private waiting = 0;
  private unsent = 0;
  private onDrained: (() => void)[] = [];

  constructor(
    readonly socket: Socket,
    readonly principal: Principal,
  ) {
    socket.conn.once('close', () => this.tellDrained());
  }

  get open(): boolean {
    return this.socket.connected;
  }

  get congested(): boolean {
    return this.unsent > BYTES_AT_MOST;
  }

  /**
   * Past Socket.IO's own encoder, which would write every fact anew for every client: the packet is the
   * same for all of them, and for WebSockets the frame as well.
   */
  send(bundle: Bundle): void {
    const { conn } = this.socket;
    if (conn.transport.name === 'websocket') {
      const { frames } = bundle;
      this.count(frames.length, (sent) => conn.send('', { wsPreEncodedFrame: [frames] } as object, sent));
    } else {
      for (const packet of bundle.packets()) {
        this.count(packet.length, (sent) => conn.send(packet, {}, sent));
      }
    }
  }

  drained(): Promise<void> {
    if (!this.congested || !this.open) return Promise.resolve();
    return new Promise((resolve) => this.onDrained.push(resolve));
  }

  jobRemoved(subscription: Subscription): void {
    for (const [key, one] of [...this.subscriptions]) {
      if (one === subscription) this.subscriptions.delete(key);
    }
    const { code, message } = jobNotFound();
    this.socket.emit('error', { ...connectionEvent('error'), code, message });
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

  private count(bytes: number, send: (sent: () => void) => void): void {
    this.unsent += bytes;
    send(() => {
      this.unsent -= bytes;
      if (!this.congested) this.tellDrained();
    });
  }

  private tellDrained(): void {
    for (const resolve of this.onDrained.splice(0)) resolve();
  }
}

export const connectionEvent = <T extends 'error' | 'heartbeat'>(type: T) => ({
  event_type: type,
  version: EVENT_VERSIONS[type],
  timestamp: new Date().toISOString(),
});
