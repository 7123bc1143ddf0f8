import type { DataSource } from '#persistence';

const PAGE = 200;
/** Rows of one statement, so that none holds locks for long. */
const BATCH = 1000;

const OLDER = (column: string, unit: string) => `${column} < now() - $1::float8 * interval '1 ${unit}'`;

/** SQL, hours and the last id of the page before: assets that can be played and whose source is still kept. */
export const OLD_SOURCES = `SELECT id FROM assets WHERE status = 'ready' AND ${OLDER('held_since', 'hour')} AND id > $2
  ORDER BY id LIMIT ${PAGE}`;

/** SQL, days: jobs that have ended, and that no upload has been given since. */
export const IS_OLD_JOB = `status IN ('completed', 'failed') AND ${OLDER('completed_at', 'day')} AND ${OLDER('updated_at', 'day')}`;

/** SQL, days and the last id of the page before. */
export const OLD_JOBS = `SELECT id FROM jobs WHERE ${IS_OLD_JOB} AND id > $2
  ORDER BY id LIMIT ${PAGE}`;

type Forget = (database: DataSource, days: number, signal: AbortSignal) => Promise<void>;

/** Batch by batch, until nothing is left. */
const forget =
  (table: string, condition: string): Forget =>
  async (database, days, signal) => {
    let last = BATCH;
    while (last === BATCH && !signal.aborted) {
      const [rows] = (await database.query(
        `DELETE FROM ${table} WHERE id IN (SELECT id FROM ${table} WHERE ${condition} LIMIT ${BATCH} FOR UPDATE SKIP LOCKED)
         RETURNING 1`,
        [days],
      )) as [unknown[], number];
      last = rows.length;
    }
  };

/** Uploads without a result, and parts of a file whose row has gone; the cleanup still needs those of an asset that it is at. One that has a result is a reference to it. */
export const forgetSessions = forget(
  'upload_sessions',
  `(status IN ('failed', 'cancelled', 'expired') OR tus_concat = 'partial' AND status = 'completed' AND final_id IS NULL)
    AND ${OLDER('updated_at', 'day')}
    AND NOT EXISTS (SELECT 1 FROM assets WHERE assets.id = upload_sessions.asset_id AND assets.status = 'deleting')
    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.id = upload_sessions.job_id AND jobs.status IN ('pending', 'processing'))`,
);

export const forgetAssets = forget(
  'assets',
  `status = 'deleted' AND ${OLDER('updated_at', 'day')}
    AND NOT EXISTS (SELECT 1 FROM jobs WHERE jobs.asset_id = assets.id)
    AND NOT EXISTS (SELECT 1 FROM upload_sessions WHERE upload_sessions.asset_id = assets.id)
    AND NOT EXISTS (SELECT 1 FROM renditions WHERE renditions.asset_id = assets.id)`,
);

export const forgetBatches = forget(
  'upload_batches',
  `${OLDER('updated_at', 'day')} AND NOT EXISTS (SELECT 1 FROM upload_sessions WHERE upload_sessions.batch_id = upload_batches.id)`,
);
