import type { ErrorCode, TenantFact } from '#contracts';
import type { EntityManager } from '#persistence';
import { recordFact } from './record.js';

export interface FailedJob {
  assetId: string;
  fact: TenantFact | null;
}

/**
 * Ends an open job as failed, with its open spans, and gives its asset to the cleanup, in the caller's
 * transaction and in the lock order of docs/model.md. The caller commits, enqueues `cleanup`, publishes.
 * Null: the job had ended already.
 */
export async function failJob(
  manager: EntityManager,
  jobId: string,
  failure: { code: ErrorCode; message: string },
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
  await manager.query(
    `UPDATE assets SET status = 'deleting', deleting_since = now(), updated_at = now()
     WHERE id = $1 AND status = 'provisional'`,
    [job.asset_id],
  );
  await manager.query(
    `UPDATE spans SET status = 'cancelled', updated_at = now()
     WHERE job_id = $1 AND status IN ('pending', 'running')`,
    [jobId],
  );
  const fact = await recordFact(manager, jobId, { type: 'processing_failed', durable: true, ...failure });
  return { assetId: job.asset_id, fact };
}
