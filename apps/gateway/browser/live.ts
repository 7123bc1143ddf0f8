import { io, type Socket } from 'socket.io-client';
import type { Fact, JobView, SubscribeAck, SubscribeRequest } from '#contracts';
import { EVENT_TYPES } from '../../../libs/contracts/src/events.js';
import { SNAPSHOT_EVENT } from '../../../libs/contracts/src/live.js';
import { fetchJob } from './api.js';
import { getToken } from './token.js';

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
  /** Of the newest durable fact of each job: where it goes on after the line was lost. */
  private readonly lastIds = new Map<string, string>();

  constructor(
    private readonly onNews: (jobId: string, news: News) => void,
    onLink: (up: boolean) => void,
  ) {
    this.socket = io({
      transports: ['websocket', 'polling'],
      reconnectionDelayMax: 3_000,
      auth: (give) => give({ token: getToken() ?? undefined }),
    });
    this.socket.on('connect', () => {
      onLink(true);
      for (const jobId of this.heard.keys()) this.subscribe(jobId);
    });
    this.socket.on('disconnect', () => onLink(false));
    this.socket.on('connect_error', () => onLink(false));
    this.socket.on(SNAPSHOT_EVENT, (view: JobView) => this.tell(view.id, { kind: 'snapshot', view }));
    for (const type of EVENT_TYPES) {
      this.socket.on(type, (fact: Fact) => {
        if (fact.id !== undefined && this.heard.has(fact.job_id)) this.lastIds.set(fact.job_id, fact.id);
        this.tell(fact.job_id, { kind: 'fact', fact });
      });
    }
    setInterval(() => this.poll(), POLL_MS);
  }

  follow(jobId: string): void {
    if (this.heard.has(jobId)) return;
    this.heard.set(jobId, performance.now());
    if (this.socket.connected) this.subscribe(jobId);
  }

  unfollow(jobId: string): void {
    this.lastIds.delete(jobId);
    if (this.heard.delete(jobId) && this.socket.connected) this.socket.emit('unsubscribe', { job_id: jobId });
  }

  private subscribe(jobId: string): void {
    const request: SubscribeRequest = { job_id: jobId };
    const lastId = this.lastIds.get(jobId);
    if (lastId !== undefined) request.last_event_id = lastId;
    this.socket
      .timeout(ACK_MS)
      .emit('subscribe', request, (error: Error | null, ack: SubscribeAck | undefined) => {
        if (error || !ack) return;
        // Where nothing was known the same snapshot comes as an event.
        if (ack.ok && lastId !== undefined && ack.snapshot) {
          this.tell(jobId, { kind: 'snapshot', view: ack.snapshot });
        }
        if (ack.ok && !this.lastIds.has(jobId)) this.lastIds.set(jobId, ack.last_event_id);
        if (!ack.ok && ack.code === 'job_not_found') this.tell(jobId, { kind: 'gone', message: ack.message });
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
