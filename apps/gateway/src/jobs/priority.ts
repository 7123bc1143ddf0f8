import { Inject, Injectable } from '@nestjs/common';
import { SluiceError, toQueuePriority } from '#contracts';
import type { EntityManager } from '#persistence';
import type { QueueProducer } from '#queue';
import { IS_WAITING, joinTurn, queuedSpan, SPAN_ENTRY, type SpanEntry, urgeShared } from '#work';
import type { Database } from '../resources.js';
import { DATABASE } from '../tokens.js';
import { Teller } from './teller.js';

/** Moves open jobs in the line: the rows, then what of them is queued. */
@Injectable()
export class Priority {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(Teller) private readonly teller: Teller,
  ) {}

  /** What is as urgent as that already stays where it stands in its round. */
  async set(jobId: string, priority: number): Promise<void> {
    const moved = await this.database.transaction((manager) => setLocked(manager, jobId, priority));
    if (moved.length === 0) return;
    await this.teller.tell(async ({ queues }) => {
      for (const id of moved) await this.requeue(queues, id);
    });
  }

  /** Entries that a worker holds, or that are not there, stay as they are. */
  private async requeue(queues: QueueProducer, jobId: string): Promise<void> {
    const { database } = this;
    const [job] = await database.query<{ priority: number }[]>('SELECT priority FROM jobs WHERE id = $1', [
      jobId,
    ]);
    if (!job) return;
    const priority = toQueuePriority(job.priority);
    for (const queue of ['plan', 'scan', 'package'] as const) await queues.move(queue, { jobId }, priority);
    const tasks = await database.query<{ id: string }[]>(
      `SELECT id FROM finishing_tasks WHERE job_id = $1 AND status = 'pending'`,
      [jobId],
    );
    for (const { id } of tasks) await queues.move('finishing', { jobId, taskId: id }, priority);
    const spans = await database.query<SpanEntry[]>(
      `SELECT ${SPAN_ENTRY} FROM spans JOIN jobs ON jobs.id = spans.job_id
       WHERE spans.job_id = $1 AND spans.status = 'pending' AND spans.released AND NOT ${IS_WAITING}`,
      [jobId],
    );
    for (const { queue, payload, options } of spans.map(queuedSpan))
      await queues.move(queue, payload, options.priority);
  }
}

/** Answers with the jobs that have moved. Locks: sessions, the job that works, the one that waits for it. */
async function setLocked(manager: EntityManager, jobId: string, priority: number): Promise<string[]> {
  await manager.query('UPDATE upload_sessions SET priority = $2 WHERE job_id = $1', [jobId, priority]);
  await manager.query('SELECT 1 FROM jobs WHERE id = (SELECT waits_for FROM jobs WHERE id = $1) FOR UPDATE', [
    jobId,
  ]);
  const [job] = (await manager.query(
    `SELECT waits_for AS root FROM jobs WHERE id = $1 AND status IN ('pending', 'processing') FOR UPDATE`,
    [jobId],
  )) as { root: string | null }[];
  if (!job)
    throw new SluiceError('job_ended', 'This job has ended; there is nothing left to be done sooner.');
  const [own] = (await manager.query(
    `UPDATE jobs SET priority = wanted.priority, updated_at = now()
     FROM (SELECT GREATEST($2::smallint, max(priority)) AS priority FROM jobs
       WHERE waits_for = $1 AND status IN ('pending', 'processing')) AS wanted
     WHERE id = $1 AND jobs.priority <> wanted.priority RETURNING id`,
    [jobId, priority],
  )) as [unknown[], number];
  const moved = own.length > 0 ? [jobId] : [];
  if (own.length > 0) await joinTurn(manager, jobId);
  if (job.root !== null && (await urgeShared(manager, job.root))) moved.push(job.root);
  return moved;
}
