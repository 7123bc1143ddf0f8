import { Inject, Injectable } from '@nestjs/common';
import { type JobStatus, type PurgedJob, type Reach, SluiceError } from '#contracts';
import type { EntityManager } from '#persistence';
import { releaseAsset, removeJob } from '#work';
import type { Database } from '../resources.js';
import { DATABASE } from '../tokens.js';
import { Cancelling } from './cancelling.js';
import { jobNotFound } from './job-reader.js';
import { Teller } from './teller.js';

interface Purged {
  assetId: string;
  purged: boolean;
  cleanup: boolean;
}

/** Removes a job with everything that it has made and nobody else uses. */
@Injectable()
export class Purging {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(Cancelling) private readonly cancelling: Cancelling,
    @Inject(Teller) private readonly teller: Teller,
  ) {}

  /** An open one is cancelled first. Somebody who sees only own uploads takes only those out of a job. */
  async purge(jobId: string, reach: Reach): Promise<PurgedJob> {
    await this.cancelling.cancelOpen(jobId);
    const { assetId, purged, cleanup } = await this.untilDone(jobId, reach);
    if (cleanup) await this.teller.tell(({ queues }) => queues.enqueue('cleanup', { assetId }));
    return { id: jobId, purged };
  }

  private async untilDone(jobId: string, reach: Reach): Promise<Purged> {
    for (;;) {
      const outcome = await this.database.transaction((manager) => purgeLocked(manager, jobId, reach));
      if (outcome !== 'again') return outcome;
    }
  }
}

interface Session {
  id: string;
  userId: string | null;
  refers: boolean;
}

async function sessionsOf(
  manager: EntityManager,
  jobId: string,
  lock: 'FOR UPDATE' | '',
): Promise<Session[]> {
  return (await manager.query(
    `SELECT id, user_id AS "userId", status = 'completed' AS refers FROM upload_sessions WHERE job_id = $1
     ORDER BY id ${lock}`,
    [jobId],
  )) as Session[];
}

/**
 * Locks: sessions by their ids, job, asset. Under the job's lock no upload is given it any more; `again`: one was
 * between the two locks, and nothing has been done.
 */
async function purgeLocked(
  manager: EntityManager,
  jobId: string,
  { userId, sessionId }: Reach,
): Promise<Purged | 'again'> {
  const sessions = await sessionsOf(manager, jobId, 'FOR UPDATE');
  const [job] = (await manager.query(
    `SELECT asset_id AS "assetId", status FROM jobs WHERE id = $1 FOR UPDATE`,
    [jobId],
  )) as { assetId: string; status: JobStatus }[];
  if (!job) throw jobNotFound();
  const now = await sessionsOf(manager, jobId, '');
  if (now.some(({ id }) => !sessions.some((locked) => locked.id === id))) return 'again';
  if (job.status === 'pending' || job.status === 'processing')
    throw new SluiceError('job_open', 'This job was begun again a moment ago; cancel it first.');
  const isOwn = (session: Session) =>
    (userId === null || session.userId === userId) && (sessionId === null || session.id === sessionId);
  const own = sessions.filter(isOwn);
  const ids = own.map(({ id }) => id);
  await manager.query('DELETE FROM upload_chunks WHERE session_id = ANY($1)', [ids]);
  await manager.query(
    `UPDATE upload_sessions SET job_id = NULL, updated_at = now(),
       error_code = CASE WHEN status = 'completed' THEN 'cancelled' ELSE error_code END,
       error_message = CASE WHEN status = 'completed' THEN 'Its job and what it made were removed.' ELSE error_message END,
       status = CASE WHEN status = 'completed' THEN 'cancelled' ELSE status END
     WHERE id = ANY($1)`,
    [ids],
  );
  const purged = !sessions.some((session) => session.refers && !isOwn(session));
  if (purged) await removeJob(manager, jobId);
  return { assetId: job.assetId, purged, cleanup: await letGoOf(manager, job.assetId, own) };
}

/** What no session refers to is nobody's: asked with the asset locked, since who adopts it locks it first. */
async function letGoOf(
  manager: EntityManager,
  assetId: string,
  own: readonly { refers: boolean }[],
): Promise<boolean> {
  const [asset] = (await manager.query('SELECT refs FROM assets WHERE id = $1 FOR UPDATE', [assetId])) as {
    refs: number;
  }[];
  if (!asset) return false;
  const users = (await manager.query(
    `SELECT 1 FROM upload_sessions WHERE asset_id = $1 AND status IN ('active', 'completed') LIMIT 1`,
    [assetId],
  )) as unknown[];
  return releaseAsset(
    manager,
    assetId,
    users.length > 0 ? own.filter(({ refers }) => refers).length : asset.refs,
  );
}
