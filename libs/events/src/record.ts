import type { EntityManager } from 'typeorm';
import {
  type ErrorCode,
  EVENT_VERSIONS,
  type EventType,
  type Fact,
  type JobStatus,
  type Playback,
  type RenditionProgress,
  STAGES,
  type Stage,
  type TenantFact,
} from '#contracts';
import { addDeliveries } from './deliveries.js';

export interface FactInput {
  type: EventType;
  durable: boolean;
  stage?: Stage;
  /** 0–100; a lower value than the job's has no effect. */
  progress?: number;
  message?: string;
  code?: ErrorCode;
  result?: unknown;
  cachedResult?: unknown;
  renditions?: RenditionProgress[];
  playback?: Playback;
  bytesReceived?: number;
  bytesTotal?: number | null;
  speed?: number | null;
  etaSeconds?: number | null;
}

interface UpdatedJob {
  tenant_id: string;
  last_seq: number;
  stage: Stage;
  progress: number;
  status: JobStatus;
  session_id: string | null;
  now: Date;
}

const STAGE_LIST = STAGES.map((stage) => `'${stage}'`).join(',');
const rank = (expression: string) => `array_position(ARRAY[${STAGE_LIST}], ${expression})`;

/**
 * Takes the next number of the job under its row lock, so that ids are in commit order, moves stage
 * and progress forward (never back), writes the row, and answers with what to publish once the
 * caller's transaction has committed. Must run inside a transaction. Null: there is no such job, or
 * it has ended and this was only progress.
 */
export async function recordFact(
  manager: EntityManager,
  jobId: string,
  input: FactInput,
): Promise<TenantFact | null> {
  const [rows] = (await manager.query(
    `WITH before AS (
       SELECT id, stage AS old_stage, progress AS old_progress, last_seq AS old_seq FROM jobs WHERE id = $1 FOR UPDATE)
     UPDATE jobs SET
       stage = CASE WHEN ${rank('$2::text')} > ${rank('jobs.stage')} THEN $2::text ELSE jobs.stage END,
       progress = GREATEST(jobs.progress, $3::smallint),
       last_seq = last_seq + CASE
         WHEN $4::boolean OR GREATEST(jobs.progress, $3::smallint) > old_progress
           OR ${rank('$2::text')} > ${rank('old_stage')} THEN 1 ELSE 0 END,
       updated_at = now()
     FROM before WHERE jobs.id = before.id AND ($4::boolean OR jobs.status IN ('pending', 'processing'))
     RETURNING jobs.tenant_id, jobs.last_seq, jobs.stage, jobs.progress, jobs.status, now() AS now,
       jobs.last_seq > old_seq AS stored,
       (SELECT id FROM upload_sessions WHERE job_id = jobs.id ORDER BY created_at LIMIT 1) AS session_id`,
    [jobId, input.stage ?? null, input.progress ?? 0, input.durable],
  )) as [(UpdatedJob & { stored: boolean })[], number];
  const job = rows[0];
  if (!job) return null;
  const fact: Fact = {
    event_type: input.type,
    version: EVENT_VERSIONS[input.type],
    job_id: jobId,
    session_id: job.session_id,
    seq: job.last_seq,
    durable: input.durable,
    timestamp: job.now.toISOString(),
    status: job.status,
    stage: job.stage,
    progress_percentage: job.progress,
    ...(input.message === undefined ? {} : { message: input.message }),
    ...(input.code === undefined ? {} : { code: input.code }),
    ...(input.result === undefined ? {} : { result: input.result }),
    ...(input.cachedResult === undefined ? {} : { cached_result: input.cachedResult }),
    ...(input.renditions === undefined ? {} : { renditions: input.renditions }),
    ...(input.playback === undefined ? {} : { playback: input.playback }),
    ...(input.bytesReceived === undefined ? {} : { bytes_received: input.bytesReceived }),
    ...(input.bytesTotal === undefined ? {} : { bytes_total: input.bytesTotal }),
    ...(input.speed === undefined ? {} : { speed: input.speed }),
    ...(input.etaSeconds === undefined ? {} : { eta_seconds: input.etaSeconds }),
  };
  if (job.stored) {
    // A statement of its own: it sees what was committed while the first one waited for the row's lock.
    const [stored] = (await manager.query(
      `INSERT INTO progress_events (job_id, seq, tenant_id, session_id, type, durable, stage, progress, message, payload)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10::jsonb || jsonb_build_object('previous',
         (SELECT COALESCE(max(seq), 0) FROM progress_events WHERE job_id = $1 AND seq < $2 AND durable)))
       RETURNING (payload ->> 'previous')::bigint AS previous`,
      [
        jobId,
        job.last_seq,
        job.tenant_id,
        job.session_id,
        input.type,
        input.durable,
        job.stage,
        job.progress,
        input.message ?? null,
        JSON.stringify(fact),
      ],
    )) as { previous: number }[];
    if (stored) fact.previous = stored.previous;
  }
  await addDeliveries(manager, { tenant_id: job.tenant_id, fact });
  return { tenant_id: job.tenant_id, fact };
}
