import { Inject, Injectable } from '@nestjs/common';
import type { ErrorCode } from '#contracts';
import { type FailedJob, failJob } from '#events';
import type { EntityManager } from '#persistence';
import { Rows } from '../rows.js';

export interface DueScan {
  jobId: string;
  /** Whose chunks are the source. */
  sessionId: string;
  priority: number;
  waitedMs: number;
}

/** The column `jobs.scan`. Lock order: session, job, asset. */
@Injectable()
export class ScanRows {
  constructor(@Inject(Rows) private readonly rows: Rows) {}

  /** Null: there is nothing to scan, or not any more. */
  async due(jobId: string): Promise<DueScan | null> {
    const found = (await this.rows.manager.query(
      `SELECT j.id AS "jobId", s.id AS "sessionId", j.priority,
         (extract(epoch FROM now() - j.scan_since) * 1000)::float8 AS "waitedMs"
       FROM jobs j JOIN upload_sessions s ON s.job_id = j.id AND s.status = 'completed'
       WHERE j.id = $1 AND j.scan = 'pending' AND j.source_complete AND j.waits_for IS NULL
         AND j.status IN ('pending', 'processing')
       ORDER BY s.created_at LIMIT 1`,
      [jobId],
    )) as DueScan[];
    return found[0] ?? null;
  }

  /** False: the job ended meanwhile, or another process was faster. */
  async letGo(jobId: string): Promise<boolean> {
    const [rows] = (await this.rows.manager.query(
      `UPDATE jobs SET scan = 'clean', updated_at = now()
       WHERE id = $1 AND scan = 'pending' AND status IN ('pending', 'processing') RETURNING 1`,
      [jobId],
    )) as [unknown[], number];
    return rows.length > 0;
  }

  /** The job fails, with those that wait for it and with their sessions; the asset goes to the cleanup. */
  async refuse(jobId: string, failure: { code: ErrorCode; message: string }): Promise<FailedJob | null> {
    for (;;) {
      const outcome = await this.rows.transaction((manager) => this.tryToRefuse(manager, jobId, failure));
      if (outcome !== 'again') return outcome;
    }
  }

  /**
   * Sessions are locked before the job, and under the job's lock nobody joins any more (SharedWork). Who
   * joined between the two locks is seen by a second look: then nothing has been done, and we begin again.
   */
  private async tryToRefuse(
    manager: EntityManager,
    jobId: string,
    failure: { code: ErrorCode; message: string },
  ): Promise<FailedJob | 'again' | null> {
    const sessions = await this.sessionsOf(manager, jobId, 'FOR UPDATE');
    const due = (await manager.query(`SELECT 1 FROM jobs WHERE id = $1 AND scan = 'pending' FOR UPDATE`, [
      jobId,
    ])) as unknown[];
    if (due.length === 0) return null;
    const now = await this.sessionsOf(manager, jobId, '');
    if (now.some((id) => !sessions.includes(id))) return 'again';
    await manager.query(`UPDATE jobs SET scan = 'refused' WHERE id = $1`, [jobId]);
    const failed = await failJob(manager, jobId, failure);
    if (!failed) return null;
    for (const id of sessions) await this.rows.sessions.end(manager, id, { status: 'failed', ...failure });
    return failed;
  }

  /** Of the job, and of those that share its asset. */
  private async sessionsOf(
    manager: EntityManager,
    jobId: string,
    lock: 'FOR UPDATE' | '',
  ): Promise<string[]> {
    const rows = (await manager.query(
      `SELECT id FROM upload_sessions WHERE asset_id = (SELECT asset_id FROM jobs WHERE id = $1)
         AND status = 'completed' ORDER BY id ${lock}`,
      [jobId],
    )) as { id: string }[];
    return rows.map(({ id }) => id);
  }
}
