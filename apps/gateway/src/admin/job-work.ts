import { type QueueName, queueJobId } from '#contracts';
import type { QueueProducer } from '#queue';
import { queuedSpan, SPAN_ENTRY, type SpanEntry } from '#work';
import type { Database } from '../resources.js';

/** One row that a queue entry belongs to, or belonged to. */
export interface Work {
  what: string;
  status: string;
  /** Who has it, how often it was begun, how often its worker died of it. */
  owner: string | null;
  attempts: number | null;
  uncleanDeaths: number | null;
  error: string | null;
  queue: QueueName;
  entryId: string;
  /** BullMQ's word for where the entry is; `unknown`: there is none, which is right for what is done. */
  entryState: string;
}

export interface JobWork {
  id: string;
  tenantId: string;
  status: string;
  stage: string;
  progress: number;
  error: string | null;
  work: Work[];
}

/** A very long video has some hundred spans; the page shows those that are not done first. */
const ROWS_AT_MOST = 500;

type Row = Omit<Work, 'queue' | 'entryId' | 'entryState'>;
type JobRow = Omit<JobWork, 'work'> & { assetId: string; scan: string; packagedAt: Date | null };

/** A job with all of its work, each with the entry that the queues have of it; null: there is no such job. */
export async function readJobWork(
  database: Database,
  queues: QueueProducer,
  jobId: string,
): Promise<JobWork | null> {
  const [job] = await database.query<JobRow[]>(
    `SELECT id, tenant_id AS "tenantId", status, stage, progress, asset_id AS "assetId", scan,
       packaged_at AS "packagedAt", NULLIF(concat_ws(': ', error_code, error_message), '') AS error
     FROM jobs WHERE id = $1`,
    [jobId],
  );
  if (!job) return null;
  const { assetId, scan, packagedAt, ...shown } = job;
  const own = { owner: null, attempts: null, uncleanDeaths: null, error: null };
  const rows = [
    { ...own, what: 'plan', status: job.status, queue: 'plan' as const, entryId: queueJobId.plan({ jobId }) },
    ...(scan === 'off'
      ? []
      : [
          { ...own, what: 'scan', status: scan, queue: 'scan' as const, entryId: queueJobId.scan({ jobId }) },
        ]),
    ...(await spansOf(database, jobId)),
    ...(await tasksOf(database, jobId)),
    {
      ...{ ...own, what: 'package', status: packagedAt ? 'done' : 'pending', queue: 'package' as const },
      entryId: queueJobId.package({ jobId }),
    },
    {
      ...{ ...own, what: 'cleanup', status: '', queue: 'cleanup' as const },
      entryId: queueJobId.cleanup({ assetId }),
    },
  ];
  const work = await Promise.all(
    rows.map(async (row) => ({ ...row, entryState: await queues.stateOf(row.queue, row.entryId) })),
  );
  return { ...shown, work };
}

async function spansOf(database: Database, jobId: string) {
  const rows = await database.query<(SpanEntry & Row)[]>(
    `SELECT ${SPAN_ENTRY}, concat_ws(' ', spans.kind, spans.position, array_to_string(spans.renditions, ', ')) AS what,
       spans.status, spans.lease_owner AS owner, spans.attempts, spans.unclean_deaths AS "uncleanDeaths",
       NULLIF(concat_ws(': ', spans.error_code, spans.error_message), '') AS error
     FROM spans JOIN jobs ON jobs.id = spans.job_id WHERE spans.job_id = $1
     ORDER BY spans.status IN ('done', 'cancelled'), spans.kind, spans.position LIMIT ${ROWS_AT_MOST}`,
    [jobId],
  );
  return rows.map((row) => {
    const { queue, payload } = queuedSpan(row);
    return { ...pick(row), queue, entryId: queueJobId[queue](payload) };
  });
}

async function tasksOf(database: Database, jobId: string) {
  const rows = await database.query<(Row & { id: string })[]>(
    `SELECT id, concat_ws(' ', kind, position) AS what, status, lease_owner AS owner, attempts,
       unclean_deaths AS "uncleanDeaths", NULLIF(concat_ws(': ', error_code, error_message), '') AS error
     FROM finishing_tasks WHERE job_id = $1 ORDER BY kind, position LIMIT ${ROWS_AT_MOST}`,
    [jobId],
  );
  return rows.map((row) => ({
    ...pick(row),
    queue: 'finishing' as const,
    entryId: queueJobId.finishing({ jobId, taskId: row.id }),
  }));
}

const pick = ({ what, status, owner, attempts, uncleanDeaths, error }: Row): Row => ({
  ...{ what, status, owner, attempts, uncleanDeaths, error },
});
