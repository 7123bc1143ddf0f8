import {
  type ErrorCode,
  type JobStatus,
  type RenditionName,
  SluiceError,
  UNCLEAN_DEATHS_AT_MOST,
} from '#contracts';
import type { EntityManager } from '#persistence';
import { dropDerived } from './drop-derived.js';
import { lockFile } from './file-lock.js';
import { joinTurn } from './span-entries.js';

/** `renditions` null: none is made anew. `everything`: from the plan on. */
export interface Again {
  everything: boolean;
  renditions: RenditionName[] | null;
  /** Work that ended its process three times is tried, too. */
  quarantined: boolean;
  /** The same file is worked on once (S3-08). */
  deduplicates: boolean;
}

/** The job that works, whether it begins with its plan, and those that share its work, itself among them. */
export interface Revived {
  jobId: string;
  status: Extract<JobStatus, 'pending' | 'processing'>;
  all: string[];
}

interface FailedRow {
  id: string;
  status: JobStatus;
  error_code: ErrorCode | null;
  planned: boolean;
  asset_id: string;
}

/**
 * A failed job is open again, with those that failed with it, in the caller's transaction: what is stored stays,
 * and what is missing is due. Locks: the file (advisory), the job that works, those that share its work by their
 * ids, the asset, spans. The caller commits, queues, publishes. Throws `job_not_failed`, `job_open`,
 * `source_gone`, `file_known`, `quarantined`, `validation_failed`.
 */
export async function tryAgain(manager: EntityManager, jobId: string, again: Again): Promise<Revived> {
  const root = await rootOf(manager, jobId);
  await lockFileOf(manager, root);
  const [job] = (await manager.query(
    `SELECT id, status, error_code, plan IS NOT NULL AS planned, asset_id FROM jobs WHERE id = $1 FOR UPDATE`,
    [root],
  )) as FailedRow[];
  if (!job) throw sourceGone();
  if (job.status === 'completed')
    throw new SluiceError('job_not_failed', 'This job is completed; there is nothing to be made again.');
  if (job.status !== 'failed')
    throw new SluiceError('job_open', 'This job is being worked on already; follow it.');
  const shared = await lockShared(manager, job);
  await holdAsset(manager, job);
  await assertSource(manager, root);
  if (again.deduplicates) await assertUnknown(manager, job.asset_id);
  if (!again.quarantined) await assertHarmless(manager, root);
  const all = [root, ...shared];
  await manager.query(
    `UPDATE jobs SET status = 'pending', error_code = NULL, error_message = NULL, error_detail = NULL, completed_at = NULL,
       plan_after = NULL, plan_lease = plan_lease + 1, plan_lease_expires_at = NULL, plan_from = 0, plan_to = 1,
       encoders_denied = CASE WHEN $2 THEN '{}' ELSE encoders_denied END, copy_denied = CASE WHEN $2 THEN NULL ELSE copy_denied END,
       updated_at = now() WHERE id = ANY($1)`,
    [all, again.everything || job.error_code === 'encoder_unavailable'],
  );
  await manager.query(
    `UPDATE assets SET status = 'provisional', held_since = NULL, updated_at = now() WHERE id = $1`,
    [job.asset_id],
  );
  if (again.everything || !job.planned) {
    await dropDerived(manager, root);
    return { jobId: root, status: 'pending', all };
  }
  await manager.query(
    `UPDATE jobs SET status = 'processing', packaged_at = NULL, pace = '[]' WHERE id = $1`,
    [root],
  );
  // Spans before renditions, as everywhere.
  await manager.query('SELECT 1 FROM spans WHERE job_id = $1 ORDER BY position FOR UPDATE', [root]);
  if (again.renditions) await dropRenditions(manager, root, again.renditions);
  await manager.query(`DELETE FROM finishing_tasks WHERE job_id = $1 AND status <> 'done'`, [root]);
  await openSpans(manager, root);
  await joinTurn(manager, root);
  return { jobId: root, status: 'processing', all };
}

/** A job that shared another one's work has nothing of its own. */
async function rootOf(manager: EntityManager, jobId: string): Promise<string> {
  const [row] = (await manager.query('SELECT COALESCE(waits_for, id) AS id FROM jobs WHERE id = $1', [
    jobId,
  ])) as {
    id: string;
  }[];
  return row?.id ?? jobId;
}

async function lockFileOf(manager: EntityManager, jobId: string): Promise<void> {
  const [file] = (await manager.query(
    `SELECT a.tenant_id AS "tenantId", a.profile, a.sha256 FROM jobs j JOIN assets a ON a.id = j.asset_id WHERE j.id = $1`,
    [jobId],
  )) as { tenantId: string; profile: string; sha256: string | null }[];
  if (file?.sha256) await lockFile(manager, { ...file, sha256: file.sha256 });
}

/** Those that failed with it and whose uploads have not been cancelled since. */
async function lockShared(manager: EntityManager, job: FailedRow): Promise<string[]> {
  const rows = (await manager.query(
    `SELECT id FROM jobs WHERE waits_for = $1 AND status = 'failed' AND error_code IS NOT DISTINCT FROM $2
       AND EXISTS (SELECT 1 FROM upload_sessions s WHERE s.job_id = jobs.id AND s.status = 'completed')
     ORDER BY id FOR UPDATE`,
    [job.id, job.error_code],
  )) as { id: string }[];
  return rows.map(({ id }) => id);
}

async function holdAsset(manager: EntityManager, job: FailedRow): Promise<void> {
  const rows = (await manager.query(`SELECT 1 FROM assets WHERE id = $1 AND status = 'failed' FOR UPDATE`, [
    job.asset_id,
  ])) as unknown[];
  if (rows.length === 0) throw sourceGone();
}

/** SQL: all chunks of the job `id` are still there. */
export const hasSource = (id: string): string =>
  `EXISTS (SELECT 1 FROM upload_sessions AS sent WHERE sent.job_id = ${id} AND sent.status = 'completed'
     AND sent.file_size = (SELECT sum(size) FROM upload_chunks WHERE session_id = sent.id))`;

async function assertSource(manager: EntityManager, jobId: string): Promise<void> {
  const [row] = (await manager.query(`SELECT ${hasSource('$1::uuid')} AS kept`, [jobId])) as {
    kept: boolean;
  }[];
  if (!row?.kept) throw sourceGone();
}

/** The same file may have been sent again since (S3-08). */
async function assertUnknown(manager: EntityManager, assetId: string): Promise<void> {
  const [other] = (await manager.query(
    `SELECT j.id FROM assets a JOIN assets o ON o.tenant_id = a.tenant_id AND o.profile = a.profile AND o.sha256 = a.sha256
         AND o.id <> a.id
       LEFT JOIN jobs j ON j.asset_id = o.id AND j.waits_for IS NULL
     WHERE a.id = $1 AND (o.status = 'ready'
       OR o.status = 'provisional' AND j.status IN ('pending', 'processing') AND j.source_complete) LIMIT 1`,
    [assetId],
  )) as { id: string | null }[];
  if (other)
    throw new SluiceError(
      'file_known',
      'This file has been sent again since, and that upload has its result or gets it; use that one.',
      {
        details: { job_id: other.id },
      },
    );
}

async function assertHarmless(manager: EntityManager, jobId: string): Promise<void> {
  const rows = (await manager.query(
    `SELECT 1 FROM spans WHERE job_id = $1 AND status = 'failed' AND unclean_deaths >= ${UNCLEAN_DEATHS_AT_MOST} LIMIT 1`,
    [jobId],
  )) as unknown[];
  if (rows.length > 0)
    throw new SluiceError(
      'quarantined',
      'Converting this video ended its process three times; only an operator can have it tried again.',
    );
}

/** All that is stored of them, and what was made of it; objects are swept when the job is packaged. */
async function dropRenditions(manager: EntityManager, jobId: string, names: RenditionName[]): Promise<void> {
  const [dropped] = (await manager.query(
    `UPDATE renditions SET segments_completed = 0, seconds_completed = 0, bytes = 0, completed_at = NULL, quality = NULL,
       codecs = NULL, init_key = NULL, init_sha256 = NULL, init_size = NULL, encoder = NULL, progress_sent_at = NULL
     WHERE job_id = $1 AND name = ANY($2) RETURNING id, name, in_start_set AS "opens"`,
    [jobId, names],
  )) as [{ id: string; name: RenditionName; opens: boolean }[], number];
  const unknown = names.filter((name) => !dropped.some((rendition) => rendition.name === name));
  if (unknown.length > 0)
    throw new SluiceError(
      'validation_failed',
      `This job has no rendition ${unknown.join(', ')}; ask for those that it has.`,
    );
  await manager.query('DELETE FROM segments WHERE rendition_id = ANY($1)', [dropped.map(({ id }) => id)]);
  await manager.query('DELETE FROM finishing_tasks WHERE job_id = $1', [jobId]);
  if (dropped.some(({ opens }) => opens))
    await manager.query('UPDATE jobs SET playable_at = NULL WHERE id = $1', [jobId]);
}

/** Spans that are not done, or lack a planned segment; late writers of their last leases are fenced off. */
async function openSpans(manager: EntityManager, jobId: string): Promise<void> {
  await manager.query(
    `UPDATE spans SET status = 'pending', attempts = 0, unclean_deaths = 0, boost = 0, lease_number = lease_number + 1, lease_owner = NULL,
       lease_expires_at = NULL, avoid_worker = NULL, avoid_until = NULL, error_code = NULL, error_message = NULL, updated_at = now()
     WHERE job_id = $1 AND (status <> 'done' OR EXISTS (
       SELECT 1 FROM renditions r CROSS JOIN LATERAL generate_series(
         GREATEST(spans.first_segment, COALESCE((spans.params -> 'skipTo' ->> r.name)::integer, 0)),
         COALESCE(spans.first_segment + spans.segment_count, r.segments_total) - 1) AS planned
       WHERE r.job_id = spans.job_id AND r.name = ANY (spans.renditions)
         AND (r.init_sha256 IS NULL AND r.kind <> 'subtitles'
           OR NOT EXISTS (SELECT 1 FROM segments g WHERE g.rendition_id = r.id AND g.segment_index = planned))))`,
    [jobId],
  );
}

const sourceGone = () =>
  new SluiceError('source_gone', 'What another try needs is no longer kept; send the file again.');
