import { type ErrorCode, finishedPlayback, type JobStatus, type Pictures, type TenantFact } from '#contracts';
import type { EntityManager } from '#persistence';
import { recordFact } from './record.js';

interface Ended {
  status: JobStatus;
  asset_id: string;
  result: Pictures | null;
  error_code: ErrorCode | null;
  error_message: string | null;
}

/**
 * Jobs that share the work of this one, which has just ended, end as it did, in the caller's transaction
 * and with that job's lock held. The caller commits and publishes. Lock order: the job that works, then
 * those that wait for it, by their ids.
 */
export async function endWaiting(manager: EntityManager, jobId: string): Promise<(TenantFact | null)[]> {
  const waiting = (await manager.query(
    `SELECT id FROM jobs WHERE waits_for = $1 AND status IN ('pending', 'processing') ORDER BY id FOR UPDATE`,
    [jobId],
  )) as { id: string }[];
  if (waiting.length === 0) return [];
  const [rows] = (await manager.query(
    `UPDATE jobs SET status = w.status, result = w.result, error_code = w.error_code,
       error_message = w.error_message, error_detail = w.error_detail, completed_at = now(), updated_at = now()
     FROM jobs w WHERE w.id = $1 AND w.status IN ('completed', 'failed') AND jobs.id = ANY($2)
     RETURNING w.status, w.asset_id, w.result, w.error_code, w.error_message`,
    [jobId, waiting.map(({ id }) => id)],
  )) as [Ended[], number];
  const ended = rows[0];
  if (!ended) return [];
  const facts: (TenantFact | null)[] = [];
  for (const { id } of waiting) facts.push(await tell(manager, id, ended));
  return facts;
}

function tell(manager: EntityManager, jobId: string, ended: Ended): Promise<TenantFact | null> {
  if (ended.status === 'completed') {
    return recordFact(manager, jobId, {
      type: 'processing_completed',
      durable: true,
      stage: 'completed',
      progress: 100,
      message: 'All renditions are stored.',
      result: ended.result,
      playback: finishedPlayback(ended.asset_id, ended.result),
    });
  }
  return recordFact(manager, jobId, {
    type: 'processing_failed',
    durable: true,
    code: ended.error_code ?? 'internal',
    message: ended.error_message ?? 'The video could not be converted.',
  });
}
