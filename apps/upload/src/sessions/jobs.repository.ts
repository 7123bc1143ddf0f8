import { Injectable } from '@nestjs/common';
import type { ErrorCode, JobStatus } from '#contracts';
import type { EntityManager } from '#persistence';

export interface KnownFile {
  assetId: string;
  jobId: string;
  result: unknown;
}

/** Rows of `jobs` and `assets` as far as uploads move them. Lock order: session, job, asset, span. */
@Injectable()
export class JobsRepository {
  async insert(
    manager: EntityManager,
    ids: {
      jobId: string;
      assetId: string;
      tenantId: string;
      profile: string;
      priority: number;
      key: string | null;
    },
  ): Promise<void> {
    await manager.query('INSERT INTO assets (id, tenant_id, profile) VALUES ($1, $2, $3)', [
      ids.assetId,
      ids.tenantId,
      ids.profile,
    ]);
    await manager.query(
      'INSERT INTO jobs (id, tenant_id, asset_id, priority, key) VALUES ($1, $2, $3, $4, $5)',
      [ids.jobId, ids.tenantId, ids.assetId, ids.priority, ids.key],
    );
  }

  /**
   * The ready asset of this file and its completed job, both locked, with one more reference (S3-08).
   * Null when there is none, or when it began to be deleted while we looked.
   */
  async adoptKnownFile(
    manager: EntityManager,
    file: { tenantId: string; sha256: string; profile: string },
  ): Promise<KnownFile | null> {
    const found = (await manager.query(
      `SELECT j.id AS "jobId", j.asset_id AS "assetId", j.result FROM jobs j JOIN assets a ON a.id = j.asset_id
       WHERE a.tenant_id = $1 AND a.sha256 = $2 AND a.profile = $3 AND a.status = 'ready' AND j.status = 'completed'
       ORDER BY j.completed_at DESC LIMIT 1 FOR UPDATE OF j`,
      [file.tenantId, file.sha256, file.profile],
    )) as KnownFile[];
    const known = found[0];
    if (!known) return null;
    const [adopted] = (await manager.query(
      `UPDATE assets SET refs = refs + 1, updated_at = now() WHERE id = $1 AND status = 'ready' RETURNING id`,
      [known.assetId],
    )) as [unknown[], number];
    return adopted.length === 1 ? known : null;
  }

  /** What a form said after its file. */
  async describe(
    manager: EntityManager,
    jobId: string,
    late: { priority: number; key: string | null },
  ): Promise<void> {
    await manager.query('UPDATE jobs SET priority = $2, key = $3 WHERE id = $1', [
      jobId,
      late.priority,
      late.key,
    ]);
  }

  /** Every byte is confirmed: from now on the reconciler may plan this job. */
  async markSourceComplete(
    manager: EntityManager,
    ids: { jobId: string; assetId: string },
    source: { size: number; sha256: string; edges: string | null },
  ): Promise<void> {
    await manager.query('UPDATE jobs SET source_complete = true, updated_at = now() WHERE id = $1', [
      ids.jobId,
    ]);
    await manager.query(
      'UPDATE assets SET size = $2, sha256 = $3, edges_sha256 = $4, updated_at = now() WHERE id = $1',
      [ids.assetId, source.size, source.sha256, source.edges],
    );
  }

  async lock(manager: EntityManager, jobId: string): Promise<JobStatus> {
    const rows = (await manager.query('SELECT status FROM jobs WHERE id = $1 FOR UPDATE', [jobId])) as {
      status: JobStatus;
    }[];
    return rows[0]!.status;
  }

  /** With the job's lock held: it ends, and its open spans with it. */
  async fail(manager: EntityManager, jobId: string, code: ErrorCode, message: string): Promise<void> {
    await manager.query(
      `UPDATE jobs SET status = 'failed', error_code = $2, error_message = $3, completed_at = now(), updated_at = now()
       WHERE id = $1`,
      [jobId, code, message],
    );
  }

  async cancelSpans(manager: EntityManager, jobId: string): Promise<void> {
    await manager.query(
      `UPDATE spans SET status = 'cancelled', updated_at = now() WHERE job_id = $1 AND status IN ('pending', 'running')`,
      [jobId],
    );
  }

  /** One reference less; true when it was the last one and the asset is to be cleaned up. */
  async release(manager: EntityManager, assetId: string): Promise<boolean> {
    const [rows] = (await manager.query(
      `UPDATE assets SET refs = GREATEST(refs - 1, 0), updated_at = now(),
         status = CASE WHEN refs <= 1 AND status NOT IN ('deleting', 'deleted') THEN 'deleting' ELSE status END,
         deleting_since = CASE WHEN refs <= 1 THEN COALESCE(deleting_since, now()) ELSE deleting_since END
       WHERE id = $1 RETURNING status`,
      [assetId],
    )) as [{ status: string }[], number];
    return rows[0]?.status === 'deleting';
  }
}
