import { Inject, Injectable } from '@nestjs/common';
import { UNCLEAN_DEATHS_AT_MOST } from '#contracts';
import type { DataSource } from '#persistence';
import { DATABASE } from '../tokens.js';

export interface Leaving {
  /** Sessions whose chunks go with the asset, and the partial ones that their objects came from. */
  sessionIds: string[];
  /** Milliseconds until no lease of its jobs can still be running; 0 when none can. */
  waitMs: number;
}

/**
 * SQL: moves assets of failed jobs that nobody has tried again in $1 hours to the cleanup. Work that ended its
 * process three times stays for the operator, as long as its job's row.
 */
export const LET_GO = `UPDATE assets SET status = 'deleting', deleting_since = now(), updated_at = now()
  WHERE status = 'failed' AND held_since <= now() - $1::float8 * interval '1 hour'
    AND NOT ($1 > 0 AND EXISTS (SELECT 1 FROM jobs JOIN spans ON spans.job_id = jobs.id
      WHERE jobs.asset_id = assets.id AND jobs.waits_for IS NULL AND spans.unclean_deaths >= ${UNCLEAN_DEATHS_AT_MOST}))`;

/** What cleaning an asset reads and writes. */
@Injectable()
export class CleanupRows {
  constructor(@Inject(DATABASE) private readonly database: DataSource) {}

  /** What a failed job has left has been kept for long enough: it may go. */
  async letGo(assetId: string, hours: number): Promise<void> {
    await this.database.query(`${LET_GO} AND id = $2`, [hours, assetId]);
  }

  /**
   * Null unless the asset is `deleting`. A worker learns of the end when it extends its lease, so the
   * last one has expired LEASE_SECONDS after the asset began to be deleted, or when its row says so.
   */
  async look(assetId: string, leaseSeconds: number): Promise<Leaving | null> {
    const rows = await this.database.query<{ waitMs: number; sessionIds: string[] }[]>(
      `SELECT ceil(1000 * greatest(0, extract(epoch FROM greatest(
           coalesce(a.deleting_since, a.updated_at) + make_interval(secs => $2),
           (SELECT max(s.lease_expires_at) FROM spans s JOIN jobs j ON j.id = s.job_id
             WHERE j.asset_id = a.id AND s.status <> 'done'),
           (SELECT max(f.lease_expires_at) FROM finishing_tasks f JOIN jobs j ON j.id = f.job_id
             WHERE j.asset_id = a.id AND f.status = 'running')
         ) - now())))::float8 AS "waitMs",
         ARRAY(WITH own AS (SELECT id FROM upload_sessions WHERE asset_id = a.id AND status <> 'active')
           SELECT id FROM own UNION SELECT id FROM upload_sessions WHERE final_id IN (SELECT id FROM own)) AS "sessionIds"
       FROM assets a WHERE a.id = $1 AND a.status = 'deleting'`,
      [assetId, leaseSeconds],
    );
    return rows[0] ?? null;
  }

  /** A session that still sends for a job that has failed is told so by its next request. */
  async closeSessions(assetId: string): Promise<void> {
    await this.database.query(
      `UPDATE upload_sessions s SET status = 'failed', error_code = j.error_code, error_message = j.error_message,
         completed_at = now(), updated_at = now()
       FROM jobs j, assets a
       WHERE a.id = $1 AND a.status = 'deleting' AND s.asset_id = a.id AND s.status = 'active'
         AND j.id = s.job_id AND j.status = 'failed'`,
      [assetId],
    );
  }

  /** The objects are gone: so are the rows that named them. Locks: sessions, asset. */
  async finish(assetId: string, sessionIds: readonly string[]): Promise<void> {
    await this.database.transaction(async (manager) => {
      await manager.query('SELECT 1 FROM upload_sessions WHERE id = ANY($1) ORDER BY id FOR UPDATE', [
        sessionIds,
      ]);
      await manager.query('DELETE FROM upload_chunks WHERE session_id = ANY($1)', [sessionIds]);
      const [asset] = await manager.query<[unknown[], number]>(
        `UPDATE assets SET status = 'deleted', updated_at = now() WHERE id = $1 AND status = 'deleting' RETURNING id`,
        [assetId],
      );
      if (asset.length === 0) return;
      await manager.query(
        'DELETE FROM finishing_tasks WHERE job_id IN (SELECT id FROM jobs WHERE asset_id = $1)',
        [assetId],
      );
      await manager.query(
        'DELETE FROM segments WHERE rendition_id IN (SELECT id FROM renditions WHERE asset_id = $1)',
        [assetId],
      );
    });
  }
}
