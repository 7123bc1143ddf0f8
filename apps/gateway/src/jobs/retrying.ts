import { Inject, Injectable } from '@nestjs/common';
import { type RetryRequest, SluiceError, type TenantFact, toQueuePriority } from '#contracts';
import { recordFact } from '#events';
import type { ServiceContext } from '#http';
import type { QueueProducer } from '#queue';
import {
  type Again,
  IS_WAITING,
  queuedSpan,
  type Revived,
  releaseSpans,
  SPAN_ENTRY,
  type SpanEntry,
  tryAgain,
} from '#work';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';
import { Teller } from './teller.js';

/** Has failed jobs done again, as little of them as is asked for. */
@Injectable()
export class Retrying {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(Teller) private readonly teller: Teller,
    @Inject(CONTEXT) private readonly context: ServiceContext,
  ) {}

  /** `isOperator`: work in quarantine is tried, too. */
  async retry(jobId: string, { what, renditions }: RetryRequest, isOperator: boolean): Promise<void> {
    if ((what === 'rendition') !== (renditions !== undefined))
      throw new SluiceError(
        'validation_failed',
        'renditions belongs to what: rendition, and has to be said with it.',
      );
    await this.again(jobId, {
      everything: what === 'all',
      renditions: renditions ?? null,
      quarantined: isOperator,
    });
  }

  async again(jobId: string, wanted: Omit<Again, 'deduplicates'>): Promise<void> {
    const again = { ...wanted, deduplicates: this.context.environment.ENABLE_DEDUPLICATION === 'true' };
    const { revived, facts } = await this.database.transaction(async (manager) => {
      const revived = await tryAgain(manager, jobId, again);
      const facts: (TenantFact | null)[] = [];
      for (const id of revived.all) {
        facts.push(
          await recordFact(manager, id, {
            type: 'processing_initiated',
            durable: true,
            message: 'What is missing of the video is converted again.',
          }),
        );
      }
      return { revived, facts };
    });
    await this.teller.tell(async ({ queues, facts: publisher }) => {
      await this.enqueue(queues, revived);
      await publisher.publish(...facts);
    });
  }

  /** An entry that was given up is in the way of the same one. */
  private async enqueue(queues: QueueProducer, { jobId, status }: Revived): Promise<void> {
    const { database } = this;
    const [job] = await database.query<{ priority: number }[]>('SELECT priority FROM jobs WHERE id = $1', [
      jobId,
    ]);
    const options = { priority: toQueuePriority(job?.priority ?? 1) };
    if (status === 'pending') {
      await queues.revive('plan', { jobId }, options);
      return;
    }
    await releaseSpans(database.manager, queues, jobId);
    const due = await database.query<SpanEntry[]>(
      `SELECT ${SPAN_ENTRY} FROM spans JOIN jobs ON jobs.id = spans.job_id
       WHERE spans.job_id = $1 AND spans.status = 'pending' AND spans.released AND NOT ${IS_WAITING} ORDER BY spans.position`,
      [jobId],
    );
    for (const { queue, payload, options } of due.map(queuedSpan))
      await queues.revive(queue, payload, options);
    if (due.length === 0) await queues.revive('package', { jobId }, options);
  }
}
