import type { EntityManager } from '#persistence';

/** What was made for an asset hangs on the job that made it. */
const MADE = ['renditions', 'segments', 'spans', 'finishing_tasks'];

/**
 * The row of a job that has ended goes, with its events, in the caller's transaction and with its sessions and
 * itself locked. What it has made goes over to the oldest job that shared its work; its asset stays as it is.
 */
export async function removeJob(manager: EntityManager, jobId: string): Promise<void> {
  const sharing = (await manager.query(
    'SELECT id FROM jobs WHERE waits_for = $1 ORDER BY created_at, id FOR UPDATE',
    [jobId],
  )) as { id: string }[];
  const heir = sharing[0]?.id;
  if (heir) {
    for (const table of MADE)
      await manager.query(`UPDATE ${table} SET job_id = $1 WHERE job_id = $2`, [heir, jobId]);
    await manager.query('UPDATE jobs SET waits_for = NULLIF($1, id) WHERE waits_for = $2', [heir, jobId]);
    await manager.query(
      `UPDATE jobs SET plan = w.plan, packaged_at = w.packaged_at, playable_at = w.playable_at, scan = w.scan, scan_since = w.scan_since
       FROM jobs w WHERE jobs.id = $1 AND w.id = $2`,
      [heir, jobId],
    );
  }
  await manager.query('DELETE FROM jobs WHERE id = $1', [jobId]);
}
