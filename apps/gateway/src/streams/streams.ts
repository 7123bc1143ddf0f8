import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { FastifyReply } from 'fastify';
import { type Principal, SluiceError } from '#contracts';
import type { Authenticate, ServiceContext } from '#http';
import { gauge } from '#observability';
import { Following, type Wish } from '../facts/following.js';
import type { Subscription } from '../facts/subscription.js';
import { AUTHENTICATE, CONTEXT } from '../tokens.js';
import { EventStream, type Rendering } from './event-stream.js';
import { doneOf, isFinal, jobStream, statusOf } from './job-stream.js';

/** Between looks whether those who are connected still may be. */
const LOOK_AGAIN_MS = 5000;

/** Every event under the name of its type (S3-11), as on Socket.IO. */
const ALL: Rendering = (bundle) => ({ text: bundle.events, isEnd: false });

/** The streams of server-sent events of this process. */
@Injectable()
export class Streams implements OnApplicationBootstrap, OnModuleDestroy {
  /** And who asked for it. */
  private readonly open = new Map<EventStream, FastifyReply['request']['raw']>();
  private heartbeat: NodeJS.Timeout | undefined;
  private look: NodeJS.Timeout | undefined;
  private stopping = false;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(Following) private readonly following: Following,
    @Inject(AUTHENTICATE) private readonly authenticate: Authenticate,
  ) {}

  onApplicationBootstrap(): void {
    gauge('sluice_event_streams', async () => [{ labels: {}, value: this.open.size }]);
    this.heartbeat = setInterval(() => {
      for (const stream of this.open.keys()) stream.beat();
    }, this.context.environment.WEBSOCKET_HEARTBEAT_INTERVAL * 1000);
    this.look = setInterval(() => {
      for (const [stream, request] of this.open) void this.endStrangers(stream, request);
    }, LOOK_AGAIN_MS);
  }

  /** Clients come back with their last event id, to another process; a stopping one would wait for them for ever. */
  onModuleDestroy(): void {
    this.stopping = true;
    clearInterval(this.heartbeat);
    clearInterval(this.look);
    for (const stream of [...this.open.keys()]) stream.end();
  }

  /** `GET /jobs/:id/stream` (S1-03). */
  async job(principal: Principal, jobId: string, after: number | null, reply: FastifyReply): Promise<void> {
    const followed = await this.following.job(principal, { jobId }, after);
    const { subscription, view, lastEventId } = followed;
    const knowsAll = after !== null && followed.upToDate;
    if (isFinal(view.status) && knowsAll && this.mayAnswer(reply, subscription)) {
      // It has had `done`; to this answer an EventSource does not come back.
      this.following.leave(subscription);
      await reply.code(204).send();
      return;
    }
    const stream = this.start(reply, jobStream(followed), subscription);
    if (!stream) return;
    stream.event('status', statusOf(view), after === null ? lastEventId : undefined);
    if (isFinal(view.status) && after === null) {
      stream.event('done', doneOf(view), lastEventId);
      stream.end();
    } else {
      this.following.begin(subscription, stream, after !== null);
    }
  }

  /** `GET /events`: what Socket.IO's `subscribe` gives. */
  async events(principal: Principal, wish: Wish, after: number | null, reply: FastifyReply): Promise<void> {
    const followed =
      'mine' in wish
        ? await this.following.mine(principal, after)
        : await this.following.job(principal, wish, after);
    const { subscription, lastEventId } = followed;
    const stream = this.start(reply, ALL, subscription);
    if (!stream) return;
    if (after === null) {
      const snapshot = 'view' in followed ? followed.view : { last_event_id: lastEventId };
      stream.event('view' in followed ? 'snapshot' : 'ready', snapshot, lastEventId);
    }
    this.following.begin(subscription, stream, after !== null || 'mine' in wish);
  }

  /** A key is revoked, a token's time is over: then the stream is, too. */
  private async endStrangers(
    stream: EventStream,
    { method = 'GET', headers, url = '/' }: FastifyReply['request']['raw'],
  ): Promise<void> {
    try {
      await this.authenticate({ method, headers, url });
    } catch (error) {
      // While Postgres is away nobody can say; who is in stays.
      if (error instanceof SluiceError && error.status === 401) stream.end();
    }
  }

  /** Null: this was answered while the state was read, as when that took too long. */
  private start(reply: FastifyReply, render: Rendering, subscription: Subscription): EventStream | null {
    if (!this.mayAnswer(reply, subscription)) return null;
    try {
      const stream = new EventStream(reply, render, (one) => {
        this.open.delete(one);
        this.following.leave(subscription);
      });
      if (stream.open) this.open.set(stream, reply.request.raw);
      return stream;
    } catch (error) {
      this.following.leave(subscription);
      throw error;
    }
  }

  private mayAnswer(reply: FastifyReply, subscription: Subscription): boolean {
    const isAnswered = reply.sent || reply.raw.headersSent;
    if (!isAnswered && !this.stopping) return true;
    this.following.leave(subscription);
    if (isAnswered) return false;
    reply.header('retry-after', '1');
    throw new SluiceError('unavailable', 'This process is stopping; connect again in a second.');
  }
}
