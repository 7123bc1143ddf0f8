import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { WEBHOOKS_CHANNEL } from '#events';
import type { ServiceContext } from '#http';
import { Listener } from '#persistence';
import { type Consumer, consume } from '#queue';
import type { Resources } from '../resources.js';
import { CONTEXT, RESOURCES } from '../tokens.js';
import { Deliverer } from './deliverer.js';
import { WorkRows } from './work-rows.js';

/** They wait for strangers, not for a processor. */
const CONCURRENCY = 64;
/** What is cut short is sent again under its id. */
const GRACE_MS = 2000;
/** A lane that is just ending does not see what was added a moment ago, and keeps another one from being added. */
const ONCE_MORE_MS = 250;
const ROUNDS_BETWEEN_SWEEPS = 20;

/**
 * Puts endpoints that have something due into their queue: at once when a fact says so, and in every
 * round, because a notice, a queue or the process that held an entry may be gone. Also takes from it.
 */
@Injectable()
export class WebhookQueue implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private readonly heard = new Set<string>();
  private readonly listener: Listener;
  private consumer: Consumer | undefined;
  private timer: NodeJS.Timeout | undefined;
  private soon: NodeJS.Timeout | undefined;
  private round: Promise<void> = Promise.resolve();
  private rounds = 0;
  private stopped = false;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(RESOURCES) private readonly resources: Resources,
    @Inject(WorkRows) private readonly rows: WorkRows,
    @Inject(Deliverer) private readonly deliverer: Deliverer,
  ) {
    this.listener = new Listener({
      databaseUrl: context.environment.DATABASE_URL,
      name: 'gateway',
      channel: WEBHOOKS_CHANNEL,
      hear: (endpointId) => this.hear(endpointId),
    });
  }

  async onApplicationBootstrap(): Promise<void> {
    const { environment, logger, name } = this.context;
    this.consumer = consume('webhook', this.deliverer.process, {
      redisUrl: environment.REDIS_URL,
      name,
      concurrency: CONCURRENCY,
      lockSeconds: environment.QUEUE_LOCK_SECONDS,
      leased: true,
      onError: (error) => logger.warn({ err: error, queue: 'webhook' }, 'this work did not succeed'),
    });
    await this.listener.listen();
    this.next(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    clearTimeout(this.soon);
    await this.listener.close();
    await this.consumer?.close(GRACE_MS);
    await this.round;
  }

  /** What an endpoint's owner has just asked for does not wait until it has rested. */
  async wake(endpointId: string): Promise<void> {
    await this.resources.queues
      .hasten('webhook', { endpointId, lane: 0 })
      .catch((error: unknown) =>
        this.context.logger.debug({ err: error }, 'a webhook was not woken; it is when it has rested'),
      );
  }

  assertAlive(): void {
    this.consumer?.assertAlive();
  }

  private hear(endpointId: string): void {
    if (this.heard.has(endpointId)) return;
    void this.add([endpointId]);
    this.heard.add(endpointId);
    this.soon ??= setTimeout(() => {
      this.soon = undefined;
      const heard = [...this.heard];
      this.heard.clear();
      void this.add(heard);
    }, ONCE_MORE_MS);
  }

  private next(delayMs: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.round = this.look()
        .catch((error: unknown) =>
          this.context.logger.warn({ err: error }, 'webhooks could not be looked for'),
        )
        .finally(() => this.next(this.context.environment.RECONCILE_INTERVAL_SECONDS * 1000));
    }, delayMs);
  }

  private async look(): Promise<void> {
    await this.add(await this.rows.due());
    this.rounds += 1;
    if (this.rounds % ROUNDS_BETWEEN_SWEEPS === 1) await this.rows.sweep();
  }

  /** Only the first lane: it opens the others while there is more. */
  private async add(endpointIds: string[]): Promise<void> {
    if (this.stopped) return;
    const entries = endpointIds.map((endpointId) => ({ payload: { endpointId, lane: 0 } }));
    await this.resources.queues
      .enqueueAll('webhook', entries)
      .catch((error: unknown) =>
        this.context.logger.debug({ err: error }, 'webhooks were not enqueued; the next round does it'),
      );
  }
}
