import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { QueueName } from '#contracts';
import type { ServiceContext } from '#http';
import { type Consumer, consume, type Handler } from '#queue';
import { CleanupProcessor } from './cleanup/cleanup.processor.js';
import { PackageProcessor } from './packaging/package.processor.js';
import { patient } from './patience.js';
import { SegmentProcessor } from './segments/segment.processor.js';
import { CONTEXT } from './tokens.js';

/** Packaging and cleaning wait for the store and the database, not for a processor. */
const PACKAGE_CONCURRENCY = 2;
const CLEANUP_CONCURRENCY = 2;

/** Takes work from the three queues of this service between its start and its stop. */
@Injectable()
export class Consumers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private running: Consumer[] = [];

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(SegmentProcessor) private readonly segments: SegmentProcessor,
    @Inject(PackageProcessor) private readonly packages: PackageProcessor,
    @Inject(CleanupProcessor) private readonly cleanups: CleanupProcessor,
  ) {}

  onApplicationBootstrap(): void {
    this.running = [
      this.take('segment-upload', this.segments.process, this.context.environment.SEGMENT_CONCURRENCY),
      this.take('package', this.packages.process, PACKAGE_CONCURRENCY),
      this.take('cleanup', this.cleanups.process, CLEANUP_CONCURRENCY),
    ];
  }

  async beforeApplicationShutdown(): Promise<void> {
    const grace = this.context.environment.SHUTDOWN_GRACE_SECONDS * 1000;
    await Promise.allSettled(this.running.map((consumer) => consumer.close(grace)));
  }

  /** Throws while one of them takes nothing. */
  assertTaking(): void {
    if (!this.running.every((consumer) => consumer.isReady())) throw new Error('a queue is not being read');
  }

  assertAlive(): void {
    for (const consumer of this.running) consumer.assertAlive();
  }

  private take<Q extends QueueName>(queue: Q, handler: Handler<Q>, concurrency: number): Consumer {
    const { environment, logger, name } = this.context;
    const onError = (error: unknown) => logger.warn({ err: error, queue }, 'this work did not succeed');
    return consume(queue, patient(handler, onError), {
      redisUrl: environment.REDIS_URL,
      name,
      concurrency,
      lockSeconds: environment.QUEUE_LOCK_SECONDS,
      onError,
    });
  }
}
