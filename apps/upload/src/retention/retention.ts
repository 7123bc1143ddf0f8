import { Inject, Injectable } from '@nestjs/common';
import { chunkPrefix } from '#contracts';
import type { ServiceContext } from '#http';
import { DataSource, type EntityManager } from '#persistence';
import type { ObjectStore } from '#storage';
import { removeJob } from '#work';
import { SourceReader } from '../chunks/source-reader.js';
import { CONTEXT, STORE } from '../settings.js';
import { forgetAssets, forgetBatches, forgetSessions, IS_OLD_JOB, OLD_JOBS, OLD_SOURCES } from './forget.js';

/**
 * What was kept for long enough goes (S1-06): sources of finished jobs, rows of ended ones, of uploads without a
 * result and of assets that are deleted. Finished media stays, and so does what dedup finds. Cut short anywhere,
 * the next run goes on; an object whose row went before it is swept with the others that no row names.
 */
@Injectable()
export class Retention {
  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(SourceReader) private readonly source: SourceReader,
  ) {}

  async run(signal: AbortSignal): Promise<void> {
    const { JOB_RETENTION_DAYS, SOURCE_RETENTION_HOURS } = this.context.environment;
    const sources = await this.each(OLD_SOURCES, SOURCE_RETENTION_HOURS, signal, (id) => this.dropSource(id));
    const jobs = await this.each(OLD_JOBS, JOB_RETENTION_DAYS, signal, (id) =>
      this.dropJob(id, JOB_RETENTION_DAYS),
    );
    const rows = [forgetSessions, forgetAssets, forgetBatches];
    for (const forget of rows) if (!signal.aborted) await forget(this.database, JOB_RETENTION_DAYS, signal);
    if (sources + jobs > 0)
      this.context.logger.info({ sources, jobs }, 'what was kept for long enough is gone');
  }

  /** Takes page after page of ids; one that cannot be dropped is passed over until the next run. */
  private async each(
    sql: string,
    age: number,
    signal: AbortSignal,
    drop: (id: string) => Promise<boolean>,
  ): Promise<number> {
    let dropped = 0;
    let after = '00000000-0000-0000-0000-000000000000';
    while (!signal.aborted) {
      const page = await this.database.query<{ id: string }[]>(sql, [age, after]);
      for (const { id } of page) {
        if (signal.aborted) return dropped;
        const gone = await drop(id).catch((error: unknown) => {
          this.context.logger.warn({ err: error, id }, 'this could not be dropped; the next run tries again');
          return false;
        });
        if (gone) dropped += 1;
        after = id;
      }
      if (page.length === 0) break;
    }
    return dropped;
  }

  /** Locks: sessions by their ids, asset. */
  private async dropSource(assetId: string): Promise<boolean> {
    const dropped = await this.database.transaction(async (manager) => {
      const sessions = (await manager.query(
        `SELECT id FROM upload_sessions WHERE asset_id = $1 AND status = 'completed' ORDER BY id FOR UPDATE`,
        [assetId],
      )) as { id: string }[];
      const [freed] = (await manager.query(
        `UPDATE assets SET held_since = NULL WHERE id = $1 AND status = 'ready' AND held_since IS NOT NULL RETURNING 1`,
        [assetId],
      )) as [unknown[], number];
      if (freed.length === 0) return null;
      const ids = sessions.map(({ id }) => id);
      const [chunks] = (await manager.query(
        'DELETE FROM upload_chunks WHERE session_id = ANY($1) RETURNING storage_path AS key',
        [ids],
      )) as [{ key: string }[], number];
      return { ids, keys: chunks.map(({ key }) => key) };
    });
    if (!dropped) return false;
    await this.source.deleteObjects(dropped.keys);
    for (const id of dropped.ids) await this.store.deletePrefix(chunkPrefix(id));
    return true;
  }

  /** Locks: sessions by their ids, jobs, asset. What a failed one was still kept for goes to the cleanup. */
  private dropJob(jobId: string, days: number): Promise<boolean> {
    return this.database.transaction(async (manager) => {
      await manager.query('SELECT 1 FROM upload_sessions WHERE job_id = $1 ORDER BY id FOR UPDATE', [jobId]);
      const asset = await lockOld(manager, jobId, days);
      if (asset === null) return false;
      await removeJob(manager, jobId);
      await manager.query(
        `UPDATE assets SET status = 'deleting', deleting_since = now(), updated_at = now() WHERE id = $1 AND status = 'failed'
           AND NOT EXISTS (SELECT 1 FROM jobs WHERE asset_id = $1)`,
        [asset],
      );
      return true;
    });
  }
}

/** Null: somebody has begun it again, or an upload of the same file has been given it since. */
async function lockOld(manager: EntityManager, jobId: string, days: number): Promise<string | null> {
  const rows = (await manager.query(`SELECT asset_id FROM jobs WHERE ${IS_OLD_JOB} AND id = $2 FOR UPDATE`, [
    days,
    jobId,
  ])) as { asset_id: string }[];
  return rows[0]?.asset_id ?? null;
}
