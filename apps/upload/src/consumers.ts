import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { QueueName } from '#contracts';
import type { ServiceContext } from '#http';
import { type Consumer, consume, type Handler } from '#queue';
import { ScanProcessor } from './scan/scan.processor.js';
import { CONTEXT } from './settings.js';
import { Sweeper } from './sweep/sweeper.js';

/** One for each part, so that a long listing does not keep overdue sessions waiting. */
const SWEEP_CONCURRENCY = 3;
/** The scanner's processors are the limit, not ours. */
const SCAN_CONCURRENCY = 4;

interface Running {
  consumer: Consumer;
  /** What is cut short loses nothing, so it need not be waited for. */
  graceMs: number;
}

/** Takes work from the queues of this service between its start and its stop. Uploads do not depend on them. */
@Injectable()
export class Consumers implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private running: Running[] = [];

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(Sweeper) private readonly sweeper: Sweeper,
    @Inject(ScanProcessor) private readonly scans: ScanProcessor,
  ) {}

  onApplicationBootstrap(): void {
    this.running = [
      { consumer: this.take('sweep', this.sweeper.process, SWEEP_CONCURRENCY), graceMs: 0 },
      // Also where SCAN_MODE is off: what waits from a time when it was not gets its verdict.
      { consumer: this.take('scan', this.scans.process, SCAN_CONCURRENCY), graceMs: 0 },
    ];
  }

  async beforeApplicationShutdown(): Promise<void> {
    await Promise.allSettled(this.running.map(({ consumer, graceMs }) => consumer.close(graceMs)));
  }

  private take<Q extends QueueName>(queue: Q, handler: Handler<Q>, concurrency: number): Consumer {
    const { environment, logger, name } = this.context;
    return consume(queue, handler, {
      redisUrl: environment.REDIS_URL,
      name,
      concurrency,
      lockSeconds: environment.QUEUE_LOCK_SECONDS,
      onError: (error) => logger.warn({ err: error, queue }, 'this work did not succeed'),
    });
  }
}
