import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import type { ServiceContext } from '#http';
import { QueueProducer } from '#queue';
import { CONTEXT } from '../settings.js';

/** Asks again and again for the schedules, one for all processes, because an emptied Redis has forgotten it. */
@Injectable()
export class SweepSchedule implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | undefined;
  private asking: Promise<void> = Promise.resolve();

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(QueueProducer) private readonly queues: QueueProducer,
  ) {}

  onApplicationBootstrap(): void {
    const ask = () => {
      this.asking = this.ask();
    };
    ask();
    this.timer = setInterval(ask, this.context.environment.RECONCILE_INTERVAL_SECONDS * 1000);
  }

  async beforeApplicationShutdown(): Promise<void> {
    clearInterval(this.timer);
    await this.asking;
  }

  private async ask(): Promise<void> {
    const { environment, logger } = this.context;
    const { SWEEP_INTERVAL_SECONDS, RETENTION_INTERVAL_HOURS } = environment;
    const schedules = [
      this.queues.schedule('sweep', { part: 'sessions' }, SWEEP_INTERVAL_SECONDS * 1000),
      this.queues.schedule('sweep', { part: 'retention' }, Math.ceil(RETENTION_INTERVAL_HOURS * 3_600_000)),
    ];
    await Promise.all(schedules).catch((error: unknown) =>
      logger.warn({ err: error }, 'the sweep is not scheduled; it is asked for again'),
    );
  }
}
