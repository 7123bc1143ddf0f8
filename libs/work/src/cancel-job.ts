import { failJob } from '#events';
import type { EntityManager } from '#persistence';
import {
  AGAIN,
  CANCELLED,
  type EndedSession,
  endSession,
  type LockedSession,
  releaseAsset,
} from './end-session.js';

export interface CancelledJob extends EndedSession {
  assetId: string;
  /** Null: its upload was gone before it. */
  session: LockedSession | null;
}

/**
 * Ends an open job with the upload that it is of, as its own client may do by the session. Runs in a
 * transaction of its own for each try; null: the job had ended.
 */
export async function cancelJob(
  transaction: <T>(work: (manager: EntityManager) => Promise<T>) => Promise<T>,
  jobId: string,
): Promise<CancelledJob | null> {
  for (;;) {
    try {
      return await transaction((manager) => cancelOnce(manager, jobId));
    } catch (error) {
      if (error !== AGAIN) throw error;
    }
  }
}

async function cancelOnce(manager: EntityManager, jobId: string): Promise<CancelledJob | null> {
  const [session] = (await manager.query(
    `SELECT id, job_id AS "jobId", asset_id AS "assetId", status, bytes_received AS "bytesReceived", file_size AS "fileSize"
     FROM upload_sessions WHERE job_id = $1 AND status IN ('active', 'completed') ORDER BY created_at LIMIT 1 FOR UPDATE`,
    [jobId],
  )) as LockedSession[];
  if (session) {
    const ended = await endSession(manager, session, CANCELLED, (jobIsOpen) => jobIsOpen);
    return ended && { ...ended, assetId: session.assetId, session };
  }
  const failed = await failJob(manager, jobId, CANCELLED);
  if (!failed) return null;
  const { assetId, facts } = failed;
  const cleanup = await releaseAsset(manager, assetId);
  return { assetId, facts, cleanup, keys: [], heir: null, session: null };
}
