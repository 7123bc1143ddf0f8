import type { EntityManager } from '#persistence';

/** A session whose job waits, locked, to take over when the work of another session's job would end. */
export interface Heir {
  sessionId: string;
  jobId: string;
}

/** The one that has waited the longest, its session locked: sessions come before jobs. Null: nobody waits. */
export async function lockHeir(manager: EntityManager, jobId: string): Promise<Heir | null> {
  const rows = (await manager.query(
    `SELECT s.id AS "sessionId", j.id AS "jobId" FROM jobs j JOIN upload_sessions s ON s.job_id = j.id
     WHERE j.waits_for = $1 AND j.status IN ('pending', 'processing') AND s.status = 'completed'
     ORDER BY j.created_at, j.id LIMIT 1 FOR UPDATE OF s`,
    [jobId],
  )) as Heir[];
  return rows[0] ?? null;
}

/**
 * The work of a cancelled upload goes on for those that wait for it (docs/model.md, Dedup).
 * With both sessions and the working job locked, in one transaction: plan, renditions, spans, finishing
 * tasks, segments and chunks become the heir's, and who waited for the job waits for the heir's. What runs is
 * `pending` again under the next lease number, because their workers watch the job that ends. The
 * objects stay where they are: rows name them. `nobody`: no job waits. `again`: another one does than
 * was locked; the caller begins anew.
 */
export async function handOver(
  manager: EntityManager,
  from: { sessionId: string; jobId: string; assetId: string },
  heir: Heir | null,
): Promise<'done' | 'nobody' | 'again'> {
  const waiting = (await manager.query(
    `SELECT id FROM jobs WHERE waits_for = $1 AND status IN ('pending', 'processing') ORDER BY id FOR UPDATE`,
    [from.jobId],
  )) as { id: string }[];
  if (waiting.length === 0) return 'nobody';
  if (!heir || !waiting.some(({ id }) => id === heir.jobId)) return 'again';
  await manager.query(
    `UPDATE jobs SET status = w.status, stage = w.stage, progress = GREATEST(jobs.progress, w.progress), plan = w.plan,
       plan_lease = w.plan_lease, copy_denied = w.copy_denied, encoders_denied = w.encoders_denied, turn = w.turn, stride = w.stride, playable_at = w.playable_at,
       packaged_at = w.packaged_at,
       scan = w.scan, scan_since = w.scan_since, waits_for = NULL, updated_at = now()
     FROM jobs w WHERE jobs.id = $1 AND w.id = $2`,
    [heir.jobId, from.jobId],
  );
  await manager.query('UPDATE jobs SET waits_for = $1 WHERE waits_for = $2 AND id = ANY($3) AND id <> $1', [
    heir.jobId,
    from.jobId,
    waiting.map(({ id }) => id),
  ]);
  await manager.query('SELECT 1 FROM assets WHERE id = $1 FOR UPDATE', [from.assetId]);
  for (const table of ['spans', 'finishing_tasks']) {
    await manager.query(
      `UPDATE ${table} SET job_id = $1, updated_at = now(),
         lease_number = lease_number + CASE WHEN status IN ('pending', 'running') THEN 1 ELSE 0 END,
         lease_owner = NULL, lease_expires_at = NULL, status = CASE status WHEN 'running' THEN 'pending' ELSE status END
       WHERE job_id = $2`,
      [heir.jobId, from.jobId],
    );
  }
  for (const table of ['renditions', 'segments']) {
    await manager.query(`UPDATE ${table} SET job_id = $1 WHERE job_id = $2`, [heir.jobId, from.jobId]);
  }
  await manager.query('UPDATE upload_chunks SET session_id = $1 WHERE session_id = $2', [
    heir.sessionId,
    from.sessionId,
  ]);
  return 'done';
}
