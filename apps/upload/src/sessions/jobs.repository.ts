import { Injectable } from '@nestjs/common';
import type { EntityManager } from '#persistence';

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
      /** It waits for the scanner's verdict from the beginning, also while its source arrives. */
      scans: boolean;
    },
  ): Promise<void> {
    await manager.query('INSERT INTO assets (id, tenant_id, profile) VALUES ($1, $2, $3)', [
      ids.assetId,
      ids.tenantId,
      ids.profile,
    ]);
    await this.insertJob(manager, ids);
    if (ids.scans) await manager.query(`UPDATE jobs SET scan = 'pending' WHERE id = $1`, [ids.jobId]);
  }

  /** For an asset that is there. */
  async insertJob(
    manager: EntityManager,
    ids: { jobId: string; assetId: string; tenantId: string; priority: number; key: string | null },
  ): Promise<void> {
    await manager.query(
      'INSERT INTO jobs (id, tenant_id, asset_id, priority, key) VALUES ($1, $2, $3, $4, $5)',
      [ids.jobId, ids.tenantId, ids.assetId, ids.priority, ids.key],
    );
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
    source: { size: number; sha256: string; edges: string | null; scans: boolean },
  ): Promise<void> {
    await manager.query(
      `UPDATE jobs SET source_complete = true, updated_at = now(), scan = CASE WHEN $2 THEN 'pending' ELSE scan END,
         scan_since = CASE WHEN $2 THEN now() END
       WHERE id = $1`,
      [ids.jobId, source.scans],
    );
    await manager.query(
      'UPDATE assets SET size = $2, sha256 = $3, edges_sha256 = $4, updated_at = now() WHERE id = $1',
      [ids.assetId, source.size, source.sha256, source.edges],
    );
  }

  /** What was learnt of bytes that were not the promised file says nothing of those that come. */
  async forgetSource(manager: EntityManager, jobId: string): Promise<void> {
    await manager.query(`UPDATE jobs SET copy_denied = NULL, encoders_denied = '{}' WHERE id = $1`, [jobId]);
  }
}
