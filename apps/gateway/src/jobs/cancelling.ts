import { Inject, Injectable } from '@nestjs/common';
import { SluiceError, toQueuePriority } from '#contracts';
import { count } from '#observability';
import type { QueueProducer } from '#queue';
import { cancelJob } from '#work';
import type { Database } from '../resources.js';
import { DATABASE } from '../tokens.js';
import { Teller } from './teller.js';

/** Ends open jobs by hand. */
@Injectable()
export class Cancelling {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(Teller) private readonly teller: Teller,
  ) {}

  /** Asked again it changes nothing; `job_ended` for a job that ended in another way. */
  async cancel(jobId: string): Promise<void> {
    if (await this.cancelOpen(jobId)) return;
    const [job] = await this.database.query<{ cancelled: boolean }[]>(
      `SELECT error_code IS NOT DISTINCT FROM 'cancelled' AS cancelled FROM jobs WHERE id = $1`,
      [jobId],
    );
    if (job?.cancelled) return;
    throw new SluiceError(
      'job_ended',
      'This job has ended and cannot be cancelled; DELETE it with ?purge=true to remove it and what it made.',
    );
  }

  /** False: the job had ended. Objects go with the cleanup, which rows call for. */
  async cancelOpen(jobId: string): Promise<boolean> {
    const cancelled = await cancelJob((work) => this.database.transaction(work), jobId);
    if (!cancelled) return false;
    const { session, assetId, cleanup, heir, facts } = cancelled;
    if (session?.status === 'active') count('sluice_uploads_total', { outcome: 'cancelled' });
    await this.teller.tell(async ({ queues, facts: publisher }) => {
      if (cleanup) await queues.enqueue('cleanup', { assetId });
      if (heir) await this.pass(queues, heir);
      await publisher.publish(...facts);
    });
    return true;
  }

  /** If it is planned already the entry finds nothing to do; its spans are queued by the reconciler. */
  private async pass(queues: QueueProducer, jobId: string): Promise<void> {
    const [job] = await this.database.query<{ priority: number }[]>(
      'SELECT priority FROM jobs WHERE id = $1',
      [jobId],
    );
    if (job) await queues.enqueue('plan', { jobId }, { priority: toQueuePriority(job.priority) });
  }
}
