import type { ErrorCode, TenantFact } from '#contracts';
import type { EntityManager } from '#persistence';
import { tellJobEnded } from './job-ended.js';
import { type FactInput, recordFact } from './record.js';
import { endWaiting } from './waiting-jobs.js';

export interface FailedJob {
  assetId: string;
  facts: (TenantFact | null)[];
}

/**
 * Ends an open job as failed, with its open spans and the jobs that wait for it, in the caller's
 * transaction and in the lock order of docs/model.md. Its asset goes to the cleanup, unless another open
 * job is at it. The caller commits, enqueues `cleanup`, publishes. Null: the job had ended already.
 * `told`: what the fact says beside the failure; it is `processing_failed` where nothing is said.
 */
export async function failJob(
  manager: EntityManager,
  jobId: string,
  failure: { code: ErrorCode; message: string },
  told: Partial<FactInput> = {},
): Promise<FailedJob | null> {
  const jobs = (await manager.query(
    `SELECT asset_id FROM jobs WHERE id = $1 AND status IN ('pending', 'processing') FOR UPDATE`,
    [jobId],
  )) as { asset_id: string }[];
  const job = jobs[0];
  if (!job) return null;
  await manager.query(
    `UPDATE jobs SET status = 'failed', error_code = $2, error_message = $3, completed_at = now(), updated_at = now()
     WHERE id = $1`,
    [jobId, failure.code, failure.message],
  );
  const input: FactInput = { type: 'processing_failed', durable: true, ...failure, ...told };
  const facts = [await recordFact(manager, jobId, input), ...(await endWaiting(manager, jobId))];
  await manager.query(
    `UPDATE assets SET status = 'deleting', deleting_since = now(), updated_at = now()
     WHERE id = $1 AND status = 'provisional'
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE asset_id = $1 AND status IN ('pending', 'processing'))`,
    [job.asset_id],
  );
  await manager.query(
    `UPDATE spans SET status = 'cancelled', updated_at = now()
     WHERE job_id = $1 AND status IN ('pending', 'running')`,
    [jobId],
  );
  await manager.query(`DELETE FROM finishing_tasks WHERE job_id = $1 AND status IN ('pending', 'running')`, [
    jobId,
  ]);
  await tellJobEnded(manager, jobId);
  return { assetId: job.asset_id, facts };
}
