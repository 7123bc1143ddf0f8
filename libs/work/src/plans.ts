import { toQueuePriority } from '#contracts';
import type { EntityManager } from '#persistence';
import type { QueueProducer } from '#queue';
import { covers } from './bytes.js';

/** What of the environment decides when a job may be planned. */
export interface PlanRules {
  SCAN_MODE: string;
  ENABLE_DEDUPLICATION: string;
}

/** SQL: true for a row of `jobs` that need not wait for the scanner's verdict, or has it (S3-09). */
const hasVerdict = ({ SCAN_MODE }: PlanRules): string =>
  SCAN_MODE === 'quarantine' ? `jobs.scan <> 'refused'` : `jobs.scan IN ('off', 'clean')`;

/** An upload from which nothing has come for so long is not one that others wait for. */
const TWIN_MAY_PAUSE = "interval '1 minute'";

/**
 * SQL: true for the session `s` when another one, opened earlier, may be sending the same file, or has sent
 * it: the same size, the same first chunk, and no chunk that differs (S3-08). Its work will be shared.
 */
const HAS_TWIN = `EXISTS (
  SELECT 1 FROM upload_sessions o
  JOIN jobs oj ON oj.id = o.job_id AND oj.status <> 'failed' AND oj.waits_for IS NULL
  JOIN assets oa ON oa.id = o.asset_id AND oa.status IN ('provisional', 'ready')
  JOIN upload_chunks mine ON mine.session_id = s.id AND mine.byte_offset = 0
  JOIN upload_chunks theirs ON theirs.session_id = o.id AND theirs.byte_offset = 0
    AND theirs.size = mine.size AND theirs.hash = mine.hash
  WHERE o.tenant_id = s.tenant_id AND o.profile = s.profile AND o.file_size = s.file_size AND o.id <> s.id
    AND (o.created_at, o.id) < (s.created_at, s.id)
    AND (o.status = 'completed' OR o.status = 'active' AND o.updated_at > now() - ${TWIN_MAY_PAUSE})
    AND NOT EXISTS (SELECT 1 FROM upload_chunks a JOIN upload_chunks b ON b.session_id = o.id
      AND b.byte_offset = a.byte_offset AND b.size = a.size AND b.hash <> a.hash WHERE a.session_id = s.id))`;

/**
 * SQL: true for a row of `jobs` that a planner may take, leases aside: its source is whole, or it is still
 * arriving, of a known size, and what the planner wants to read next is there.
 */
export const mayBePlanned = (rules: PlanRules): string =>
  `(jobs.status = 'pending' AND jobs.waits_for IS NULL AND ${hasVerdict(rules)}
    AND (jobs.source_complete OR EXISTS (SELECT 1 FROM upload_sessions s
      WHERE s.job_id = jobs.id AND s.status = 'active' AND s.bytes_received < s.file_size
        AND ${covers('s.id', 'jobs.plan_from', 'jobs.plan_to')}
        ${rules.ENABLE_DEDUPLICATION === 'true' ? `AND NOT ${HAS_TWIN}` : ''})))`;

export const NO_PLANNER = '(jobs.plan_lease_expires_at IS NULL OR jobs.plan_lease_expires_at < now())';

/** Adds the job's entry when there is something to plan. */
export async function enqueuePlanIfDue(
  manager: EntityManager,
  producer: QueueProducer,
  rules: PlanRules,
  jobId: string,
): Promise<void> {
  const rows = (await manager.query(
    `SELECT priority FROM jobs WHERE id = $1 AND ${mayBePlanned(rules)} AND ${NO_PLANNER}`,
    [jobId],
  )) as { priority: number }[];
  const job = rows[0];
  if (job) await producer.enqueue('plan', { jobId }, { priority: toQueuePriority(job.priority) });
}
