import { UNCLEAN_DEATHS_AT_MOST } from '#contracts';
import { gauge } from '#observability';
import { WORKER_LIVES } from '#work';
import type { Database } from '../resources.js';
import { seldom } from './seldom.js';

/** Rows are counted no more often than this, however many scrapers ask. */
const FRESH_MS = 5000;

interface Figures {
  state: { state: string; jobs: number; idle: number }[];
  quarantined: { kind: string; entries: number }[];
  sessions: number;
  workers: number;
}

/** Each part reads an index of what is open, so that the rows of what has ended cost nothing. */
const FIGURES = `
  WITH open AS (SELECT updated_at, CASE WHEN NOT source_complete THEN 'uploading' ELSE status END AS state
      FROM jobs WHERE status IN ('pending', 'processing')),
    states AS (SELECT s.state, count(open.*)::integer AS jobs,
        COALESCE(max(extract(epoch FROM now() - open.updated_at)), 0)::float8 AS idle
      FROM (VALUES ('uploading'), ('pending'), ('processing')) AS s (state) LEFT JOIN open USING (state) GROUP BY 1),
    poison (kind, entries) AS (VALUES
      ('span', (SELECT count(*)::integer FROM spans
        WHERE unclean_deaths >= ${UNCLEAN_DEATHS_AT_MOST} AND (status = 'failed' OR error_code IS NOT NULL))),
      ('task', (SELECT count(*)::integer FROM finishing_tasks
        WHERE unclean_deaths >= ${UNCLEAN_DEATHS_AT_MOST} AND status = 'failed')))
  SELECT (SELECT json_agg(states) FROM states) AS state, (SELECT json_agg(poison) FROM poison) AS quarantined,
    (SELECT count(*)::integer FROM upload_sessions WHERE status = 'active') AS sessions,
    (SELECT count(*)::integer FROM workers WHERE service = 'transcode' AND ${WORKER_LIVES}) AS workers`;

/** What only rows know of the whole deployment; left out while Postgres is away. */
export function tellRowFigures(database: Database): void {
  const read = seldom(FRESH_MS, async () => {
    const [row] = await database.query<Figures[]>(FIGURES);
    if (!row) throw new Error('there are no figures');
    return row;
  });
  gauge('sluice_jobs', async () =>
    (await read()).state.map(({ state, jobs }) => ({ labels: { state }, value: jobs })),
  );
  gauge('sluice_job_idle_seconds', async () =>
    (await read()).state
      .filter(({ state }) => state !== 'uploading')
      .map(({ state, idle }) => ({ labels: { state }, value: idle })),
  );
  gauge('sluice_quarantined', async () =>
    (await read()).quarantined.map(({ kind, entries }) => ({ labels: { kind }, value: entries })),
  );
  gauge('sluice_sessions_open', async () => [{ labels: {}, value: (await read()).sessions }]);
  gauge('sluice_workers', async () => [{ labels: {}, value: (await read()).workers }]);
}
