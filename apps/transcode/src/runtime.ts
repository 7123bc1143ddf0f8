import { hostname } from 'node:os';
import { Inject, Injectable, type OnModuleDestroy } from '@nestjs/common';
import type { Environment } from '#config';
import type { FactPublisher } from '#events';
import { ffmpegAbilities, ffmpegVersion, missingToneMapping } from '#media';
import type { Logger } from '#observability';
import type { DataSource } from '#persistence';
import { type Consumer, consume, type QueueProducer } from '#queue';
import type { ObjectStore } from '#storage';
import { Encoders } from './encoders/encoders.js';
import { EndedJobs } from './ended-jobs.js';
import { FinishingProcessor } from './finishing/finishing.processor.js';
import { PlanProcessor } from './planning/plan.processor.js';
import { Reconciler } from './recovery/reconciler.js';
import type { Scratch } from './scratch/scratch.js';
import { SourceServer } from './source/source-server.js';
import { SpanProcessor } from './spans/span.processor.js';
import { DATA_SOURCE, ENVIRONMENT, LOGGER, PRODUCER, PUBLISHER, SCRATCH, STORE } from './tokens.js';
import { WorkerIdentity } from './worker-identity.js';
import { WorkerRegistry } from './worker-registry.js';

/** Each is a reader of packet headers that mostly waits for bytes. */
const INDEXED_AT_ONCE = 8;
const PLANS_AT_ONCE = 4;
/** One thread each, and the least urgent of all. */
const FINISHING_AT_ONCE = 2;

/** What the process holds open besides HTTP. */
@Injectable()
export class Resources {
  constructor(
    @Inject(DATA_SOURCE) readonly dataSource: DataSource,
    @Inject(STORE) readonly store: ObjectStore,
    @Inject(PRODUCER) readonly producer: QueueProducer,
    @Inject(PUBLISHER) readonly publisher: FactPublisher,
    @Inject(SCRATCH) readonly scratch: Scratch,
    @Inject(SourceServer) readonly sources: SourceServer,
  ) {}

  async close(): Promise<void> {
    this.sources.stop();
    await this.scratch.stop();
    await this.producer.close();
    this.publisher.close();
    await this.dataSource.destroy();
  }
}

/** Takes work once the process can be reached, and hands it over when the process is to stop. */
@Injectable()
export class Runtime implements OnModuleDestroy {
  private consumers: Consumer[] = [];

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(Resources) private readonly resources: Resources,
    @Inject(WorkerIdentity) private readonly identity: WorkerIdentity,
    @Inject(WorkerRegistry) private readonly registry: WorkerRegistry,
    @Inject(PlanProcessor) private readonly plans: PlanProcessor,
    @Inject(SpanProcessor) private readonly spans: SpanProcessor,
    @Inject(FinishingProcessor) private readonly finishing: FinishingProcessor,
    @Inject(Reconciler) private readonly reconciler: Reconciler,
    @Inject(EndedJobs) private readonly ended: EndedJobs,
    @Inject(Encoders) private readonly encoders: Encoders,
  ) {}

  /** `address`: where segment-upload reaches this process. */
  async start(address: string): Promise<void> {
    await this.learnEncoder();
    await this.resources.scratch.prepare();
    await this.resources.sources.start();
    await this.registry.register(address);
    await this.ended.start();
    const options = (concurrency: number) => ({
      redisUrl: this.environment.REDIS_URL,
      name: `transcode-${hostname()}`,
      concurrency,
      lockSeconds: this.environment.QUEUE_LOCK_SECONDS,
      leased: true,
      onError: (error: unknown, queue: string, id: string | undefined) =>
        this.logger.error({ err: error, queue, id }, 'work failed'),
    });
    this.consumers = [
      consume('plan', this.plans.handle, options(PLANS_AT_ONCE)),
      consume('index', this.spans.handle, options(INDEXED_AT_ONCE)),
      consume('follower', this.spans.handle, options(this.environment.FOLLOWER_CONCURRENCY)),
      consume('long-follower', this.spans.handle, options(this.environment.FOLLOWER_CONCURRENCY)),
      consume('span', this.spans.handle, options(this.environment.SPAN_CONCURRENCY)),
      consume('finishing', this.finishing.handle, options(FINISHING_AT_ONCE)),
    ];
    this.reconciler.start();
  }

  private async learnEncoder(): Promise<void> {
    const path = this.environment.FFMPEG_PATH;
    this.identity.ffmpegVersion = await ffmpegVersion(path);
    this.identity.abilities = await ffmpegAbilities(path);
    this.encoders.learn(this.identity.abilities);
    const missing = missingToneMapping(this.identity.abilities);
    if (missing.length > 0) this.logger.warn({ missing }, 'this ffmpeg cannot convert HDR; such videos fail');
  }

  /** Throws while work could not be done here. */
  async check(): Promise<void> {
    await this.resources.dataSource.query('SELECT 1');
    if (this.consumers.length === 0 || !this.consumers.every((consumer) => consumer.isReady()))
      throw new Error('Redis is away');
    await this.resources.store.check();
  }

  assertAlive(): void {
    for (const consumer of this.consumers) consumer.assertAlive();
  }

  /** Running encodes are ended and their rows given back: the next worker goes on at the first missing segment. */
  async onModuleDestroy(): Promise<void> {
    this.reconciler.stop();
    await this.ended.stop();
    await Promise.all(this.consumers.map((consumer) => consumer.close(0)));
    await this.registry.unregister().catch(() => undefined);
    await this.resources.close();
  }
}
