import { io, type Socket } from 'socket.io-client';
import type { Fact, JobView, SubscribeAck } from '#contracts';
import { EVENT_TYPES, SNAPSHOT_EVENT } from '../../../libs/contracts/src/events.js';
import { fetchJob } from './api.js';

export type News =
  | { kind: 'snapshot'; view: JobView }
  | { kind: 'fact'; fact: Fact }
  | { kind: 'gone'; message: string };

/** Facts are for speed; rows answer when none came for this long, or when there is no socket. */
const QUIET_MS = 10_000;
const POLL_MS = 2_000;
const ACK_MS = 5_000;

/** Follows jobs: subscribes again after every reconnect, and asks by HTTP while the socket is silent. */
export class Live {
  private readonly socket: Socket;
  private readonly heard = new Map<string, number>();

  constructor(
    private readonly onNews: (jobId: string, news: News) => void,
    onLink: (up: boolean) => void,
  ) {
    this.socket = io({ transports: ['websocket', 'polling'], reconnectionDelayMax: 3_000 });
    this.socket.on('connect', () => {
      onLink(true);
      for (const jobId of this.heard.keys()) this.subscribe(jobId);
    });
    this.socket.on('disconnect', () => onLink(false));
    this.socket.on('connect_error', () => onLink(false));
    this.socket.on(SNAPSHOT_EVENT, (view: JobView) => this.tell(view.id, { kind: 'snapshot', view }));
    for (const type of EVENT_TYPES) {
      this.socket.on(type, (fact: Fact) => this.tell(fact.job_id, { kind: 'fact', fact }));
    }
    setInterval(() => this.poll(), POLL_MS);
  }

  follow(jobId: string): void {
    if (this.heard.has(jobId)) return;
    this.heard.set(jobId, performance.now());
    if (this.socket.connected) this.subscribe(jobId);
  }

  unfollow(jobId: string): void {
    if (this.heard.delete(jobId) && this.socket.connected) this.socket.emit('unsubscribe', { job_id: jobId });
  }

  private subscribe(jobId: string): void {
    this.socket
      .timeout(ACK_MS)
      .emit('subscribe', { job_id: jobId }, (error: Error | null, ack: SubscribeAck | undefined) => {
        if (error || !ack) return;
        if (ack.ok) this.tell(jobId, { kind: 'snapshot', view: ack.snapshot });
        else if (ack.code === 'job_not_found') this.tell(jobId, { kind: 'gone', message: ack.message });
      });
  }

  private tell(jobId: string, news: News): void {
    if (!this.heard.has(jobId)) return;
    // What is said of the upload says nothing of the encode, whose speed grows old meanwhile.
    if (news.kind !== 'fact' || news.fact.event_type !== 'upload_progress')
      this.heard.set(jobId, performance.now());
    this.onNews(jobId, news);
  }

  private poll(): void {
    const now = performance.now();
    for (const [jobId, at] of this.heard) {
      const wait = this.socket.connected ? QUIET_MS : POLL_MS;
      if (now - at < wait) continue;
      this.heard.set(jobId, now);
      void fetchJob(jobId).then((news) => news && this.tell(jobId, news));
    }
  }
}
