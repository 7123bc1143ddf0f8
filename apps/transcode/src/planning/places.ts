import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { toQueuePriority } from '#contracts';
import type { DataSource } from '#persistence';
import type { QueueProducer } from '#queue';
import { dueJobs } from '#work';
import { DATA_SOURCE, ENVIRONMENT, PRODUCER } from '../tokens.js';

/** Puts the jobs whose turn it is into the queue: whoever claims one decides under a lock (PlanRepository.claim). */
@Injectable()
export class Places {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(PRODUCER) private readonly producer: QueueProducer,
  ) {}

  async offer(): Promise<void> {
    const due = (await this.dataSource.query(dueJobs(this.environment))) as {
      id: string;
      priority: number;
    }[];
    for (const job of due) {
      await this.producer.revive('plan', { jobId: job.id }, { priority: toQueuePriority(job.priority) });
    }
  }
}
