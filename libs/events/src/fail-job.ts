import { type ErrorCode, mayBeRetried, type TenantFact } from '#contracts';
import type { EntityManager } from '#persistence';
import { tellJobEnded } from './job-ended.js';
import { type FactInput, recordFact } from './record.js';
import { endWaiting } from './waiting-jobs.js';

export interface JobFault {
  code: ErrorCode;
  /** A sentence for whoever has sent the file. */
  message: string;
  /** For the operator. */
  detail?: Record<string, unknown>;
}

export interface FailedJob {
  assetId: string;
  facts: (TenantFact | null)[];
}

/**
 * Ends an open job as failed, with its open spans and the jobs that wait for it, in the caller's
 * transaction and in the lock order of docs/model.md. Its asset goes to the cleanup, unless another open
 * job is at it, or the failure says nothing against the file and all of that is here: then it is kept for
 * another try (docs/model.md, Trying again). The caller commits, enqueues `cleanup`, publishes. Null: the job had ended already.
 * `told`: what the fact says beside the failure; it is `processing_failed` where nothing is said.
 */
export async function failJob(
  manager: EntityManager,
  jobId: string,
  { code, message, detail }: JobFault,
  told: Partial<FactInput> = {},
): Promise<FailedJob | null> {
  const jobs = (await manager.query(
    `SELECT asset_id, source_complete AND waits_for IS NULL AS whole FROM jobs
     WHERE id = $1 AND status IN ('pending', 'processing') FOR UPDATE`,
    [jobId],
  )) as { asset_id: string; whole: boolean }[];
  const job = jobs[0];
  if (!job) return null;
  await manager.query(
    `UPDATE jobs SET status = 'failed', error_code = $2, error_message = $3, error_detail = $4, completed_at = now(),
       updated_at = now()
     WHERE id = $1`,
    [jobId, code, message, detail === undefined ? null : JSON.stringify(detail)],
  );
  const input: FactInput = { type: 'processing_failed', durable: true, code, message, ...told };
  const facts = [await recordFact(manager, jobId, input), ...(await endWaiting(manager, jobId))];
  await manager.query(
    `UPDATE assets SET status = CASE WHEN $2 THEN 'failed' ELSE 'deleting' END, updated_at = now(),
       held_since = CASE WHEN $2 THEN now() END, deleting_since = CASE WHEN NOT $2 THEN now() END
     WHERE id = $1 AND status = 'provisional'
       AND NOT EXISTS (SELECT 1 FROM jobs WHERE asset_id = $1 AND status IN ('pending', 'processing'))`,
    [job.asset_id, job.whole && mayBeRetried(code)],
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
