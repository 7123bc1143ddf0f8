import type { EntityManager } from '#persistence';

/**
 * Takes back all that was made of a job's source, with the job's row locked by the caller: spans,
 * renditions, segments and pictures of it go, and the job is `pending` without a plan. Who works on it finds its row
 * gone and stops; objects that no row names any more are rubbish and are swept when the job is packaged
 * or cleaned up. Stage and progress stay, since they never go back.
 */
export async function dropDerived(manager: EntityManager, jobId: string): Promise<void> {
  await manager.query(
    `UPDATE jobs SET status = 'pending', plan = NULL, plan_from = 0, plan_to = 1,
       plan_lease = plan_lease + 1, plan_lease_expires_at = NULL, playable_at = NULL, pace = '[]', updated_at = now()
     WHERE id = $1 AND status IN ('pending', 'processing')`,
    [jobId],
  );
  for (const table of ['spans', 'renditions', 'finishing_tasks']) {
    await manager.query(`DELETE FROM ${table} WHERE job_id = $1`, [jobId]);
  }
}
