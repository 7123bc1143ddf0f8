import type { ErrorCode, EventType, SessionStatus, TenantFact } from '#contracts';
import { failJob } from '#events';
import type { EntityManager } from '#persistence';
import { handOver, lockHeir } from './hand-over.js';

export interface SessionEnd {
  status: Extract<SessionStatus, 'cancelled' | 'failed' | 'expired'>;
  code: ErrorCode;
  message: string;
}

export const CANCELLED: SessionEnd = {
  status: 'cancelled',
  code: 'cancelled',
  message: 'The upload was cancelled.',
};

/** Of a row of `upload_sessions`, locked by the caller. Sizes in bytes. */
export interface LockedSession {
  id: string;
  jobId: string;
  assetId: string;
  status: SessionStatus;
  bytesReceived: number;
  fileSize: number | null;
}

export interface EndedSession {
  facts: (TenantFact | null)[];
  /** The asset lost its last reference. */
  cleanup: boolean;
  /** Objects that its rows named; they may lie below another session's prefix. */
  keys: string[];
  /** The job that goes on with its work, and needs its chunks. */
  heir: string | null;
}

/** Another job waits than the one whose session was locked; nothing has been done. The caller rolls back and begins anew. */
export const AGAIN = Symbol('again');

/**
 * Session, job, asset and spans end together, in the caller's transaction; work that others wait for is handed
 * over. `applies` is asked with the job locked; null when it says no. Throws AGAIN. The caller commits, queues
 * `cleanup`, or the heir's plan, publishes, and deletes the objects unless there is an heir.
 */
export async function endSession(
  manager: EntityManager,
  session: LockedSession,
  end: SessionEnd,
  applies: (jobIsOpen: boolean) => boolean,
): Promise<EndedSession | null> {
  const { id: sessionId, jobId, assetId } = session;
  // Only a job whose source is complete is waited for.
  const heir = session.status === 'completed' ? await lockHeir(manager, jobId) : null;
  const isOpen = await lockOpenJob(manager, jobId);
  if (!applies(isOpen)) return null;
  const handed = isOpen ? await handOver(manager, { sessionId, jobId, assetId }, heir) : 'nobody';
  if (handed === 'again') throw AGAIN;
  await manager.query(
    `UPDATE upload_sessions SET status = $2, error_code = $3, error_message = $4, updated_at = now() WHERE id = $1`,
    [sessionId, end.status, end.code, end.message],
  );
  const [keys] = (await manager.query(
    'DELETE FROM upload_chunks WHERE session_id = $1 RETURNING storage_path AS key',
    [sessionId],
  )) as [{ key: string }[], number];
  const failed = await failJob(manager, jobId, end, {
    type: factOf(session, end),
    bytesReceived: session.bytesReceived,
    bytesTotal: session.fileSize,
  });
  return {
    keys: keys.map(({ key }) => key),
    facts: failed?.facts ?? [],
    cleanup: await releaseAsset(manager, assetId),
    heir: handed === 'done' && heir ? heir.jobId : null,
  };
}

/** Locks it; true while it has not ended. */
export async function lockOpenJob(manager: EntityManager, jobId: string): Promise<boolean> {
  const rows = (await manager.query(
    `SELECT status IN ('pending', 'processing') AS open FROM jobs WHERE id = $1 FOR UPDATE`,
    [jobId],
  )) as { open: boolean }[];
  return rows[0]?.open === true;
}

/** So many references less; true when none is left and the asset is to be cleaned up. */
export async function releaseAsset(
  manager: EntityManager,
  assetId: string,
  references = 1,
): Promise<boolean> {
  const [rows] = (await manager.query(
    `UPDATE assets SET refs = GREATEST(refs - $2::integer, 0), updated_at = now(),
       status = CASE WHEN refs <= $2 AND status NOT IN ('deleting', 'deleted') THEN 'deleting' ELSE status END,
       deleting_since = CASE WHEN refs <= $2 THEN COALESCE(deleting_since, now()) ELSE deleting_since END
     WHERE id = $1 RETURNING status`,
    [assetId, references],
  )) as [{ status: string }[], number];
  return rows[0]?.status === 'deleting';
}

function factOf(before: LockedSession, { status }: SessionEnd): EventType {
  if (status === 'expired') return 'session_expired';
  return before.status === 'completed' ? 'processing_failed' : 'upload_failed';
}
