import type { EntityManager } from '#persistence';
import { joinTurn } from './span-entries.js';

/**
 * Work that is shared is at least as urgent as the most urgent of those that wait for it. With the job that works
 * locked by the caller; true when it has moved: entries in the queue follow with the reconciler.
 */
export async function urgeShared(manager: EntityManager, jobId: string): Promise<boolean> {
  const [moved] = (await manager.query(
    `UPDATE jobs SET priority = waiting.priority, updated_at = now()
     FROM (SELECT max(priority) AS priority FROM jobs WHERE waits_for = $1 AND status IN ('pending', 'processing')) AS waiting
     WHERE id = $1 AND status IN ('pending', 'processing') AND jobs.priority < waiting.priority RETURNING id`,
    [jobId],
  )) as [unknown[], number];
  if (moved.length === 0) return false;
  await joinTurn(manager, jobId);
  return true;
}
