import { Inject, Injectable } from '@nestjs/common';
import { type JobView, SluiceError } from '#contracts';
import type { ServiceContext } from '#http';
import { mayBePlanned, NO_PLANNER, type PlanRules } from '#work';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';
import { type JobRow, toJobView } from './job-view.js';

/**
 * One statement is one snapshot of the database: `last_seq` and the state it numbers fit together. A job
 * that waits for another one's work (`w`) is shown as far as that has come.
 */
const jobQuery = (rules: PlanRules) => `
  SELECT j.id, j.key, j.bucket, COALESCE(w.status, j.status) AS status, COALESCE(w.stage, j.stage) AS stage,
    GREATEST(w.progress, j.progress) AS progress, j.workflow_id, j.error_code, j.error_message,
    j.result, j.created_at, j.updated_at, j.completed_at, j.last_seq, j.asset_id,
    COALESCE(w.playable_at, j.playable_at) AS playable_at, COALESCE(w.packaged_at, j.packaged_at) AS packaged_at,
    (SELECT result ->> 'name' FROM finishing_tasks
       WHERE job_id = COALESCE(j.waits_for, j.id) AND kind = 'poster' AND status = 'done') AS poster,
    (SELECT result ->> 'name' FROM finishing_tasks
       WHERE job_id = COALESCE(j.waits_for, j.id) AND kind = 'storyboard' AND status = 'done') AS storyboard,
    (SELECT bool_and(ts) FILTER (WHERE in_start_set) FROM renditions
       WHERE job_id = COALESCE(j.waits_for, j.id)) AS early_ts,
    (SELECT bool_or(ts) FROM renditions WHERE job_id = COALESCE(j.waits_for, j.id)) AS has_ts,
    a.status IN ('provisional', 'ready') AS asset_kept,
    s.id AS session_id, s.filename, s.bytes_received, s.file_size AS bytes_total,
    (SELECT COALESCE(json_agg(e), '[]') FROM (
       SELECT stage, progress, message, created_at FROM progress_events
       WHERE job_id = j.id ORDER BY seq DESC LIMIT 20) e) AS latest_events,
    (SELECT COALESCE(json_agg(r), '[]') FROM (
       SELECT name, kind, mode, width, height, segments_completed, segments_total FROM renditions
       WHERE job_id = COALESCE(j.waits_for, j.id) ORDER BY position) r) AS renditions,
    q.waiting_for, CASE WHEN q.waiting_for = 'place' THEN (
      SELECT 1 + count(*)::integer FROM jobs WHERE ${mayBePlanned(rules)} AND ${NO_PLANNER}
        AND (jobs.priority > COALESCE(w.priority, j.priority) OR jobs.priority = COALESCE(w.priority, j.priority)
          AND (jobs.created_at, jobs.id) < (COALESCE(w.created_at, j.created_at), COALESCE(w.id, j.id)))
      ) END AS place_in_line,
    COALESCE(w.pace, j.pace) AS pace, COALESCE(w.source_complete, j.source_complete) AS source_complete,
    extract(epoch FROM clock_timestamp())::double precision AS now
  FROM jobs j
  JOIN assets a ON a.id = j.asset_id
  LEFT JOIN jobs w ON w.id = j.waits_for AND j.status IN ('pending', 'processing')
  LEFT JOIN LATERAL (
    SELECT id, filename, bytes_received, file_size FROM upload_sessions
    WHERE job_id = j.id ORDER BY (id = $2::uuid) DESC NULLS LAST, created_at LIMIT 1) s ON true
  CROSS JOIN LATERAL (SELECT CASE WHEN COALESCE(w.status, j.status) <> 'pending' THEN NULL
      WHEN NOT COALESCE(w.source_complete, j.source_complete) THEN 'upload'
      WHEN COALESCE(w.scan, j.scan) = 'pending' AND $3 THEN 'scan'
      WHEN COALESCE(w.plan_lease_expires_at, j.plan_lease_expires_at) > now() THEN NULL
      ELSE 'place' END AS waiting_for) q
  WHERE j.id = $1`;

@Injectable()
export class JobReader {
  private readonly query: string;

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(CONTEXT) private readonly context: ServiceContext,
  ) {
    this.query = jobQuery(context.environment);
  }

  /** `sessionId` says whose upload is shown when several sessions share the job; by default the first one. */
  async view(jobId: string, sessionId: string | null = null): Promise<JobView> {
    const scansFirst = this.context.environment.SCAN_MODE !== 'quarantine';
    const [row] = await this.database.query<JobRow[]>(this.query, [jobId, sessionId, scansFirst]);
    if (!row)
      throw new SluiceError('job_not_found', 'There is no job with this id; it may have been removed.');
    return toJobView(row);
  }

  async jobOfSession(sessionId: string): Promise<string> {
    const [row] = await this.database.query<{ job_id: string | null }[]>(
      'SELECT job_id FROM upload_sessions WHERE id = $1',
      [sessionId],
    );
    if (!row)
      throw new SluiceError(
        'session_not_found',
        'There is no upload session with this id; create one first.',
      );
    if (!row.job_id) throw new SluiceError('job_not_found', 'The job of this session has been removed.');
    return row.job_id;
  }
}
