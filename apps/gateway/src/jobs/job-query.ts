import { sessionWithin } from '#access';
import { hasSource, jobLine, type PlaceRules } from '#work';
import { isSeen } from './sight.js';

/** The jobs $1; $2: whose upload is shown when several share a job; $3: the verdict is waited for before the plan. */
const SIGHT_FROM = 4;

/**
 * One statement is one snapshot of the database: `last_seq` and the state it numbers fit together. A job
 * that waits for another one's work (`w`) is shown as far as that has come. Its place in the line is asked for
 * apart, of the few that stand there: Postgres takes ten times as long to plan that as all of this.
 */
export const JOB_QUERY = `
  SELECT j.id, j.tenant_id, j.key, j.bucket, COALESCE(w.status, j.status) AS status, COALESCE(w.stage, j.stage) AS stage,
    GREATEST(w.progress, j.progress) AS progress, j.priority, j.workflow_id, j.error_code, j.error_message, j.error_detail,
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
    CASE WHEN a.status = 'failed' THEN ${hasSource('COALESCE(j.waits_for, j.id)')} ELSE false END AS retryable,
    s.id AS session_id, s.filename, s.bytes_received, s.file_size AS bytes_total, s.user_id, s.batch_id,
    (SELECT COALESCE(json_agg(e), '[]') FROM (
       SELECT stage, progress, message, created_at FROM progress_events
       WHERE job_id = j.id ORDER BY seq DESC LIMIT 20) e) AS latest_events,
    (SELECT COALESCE(json_agg(r), '[]') FROM (
       SELECT name, kind, mode, width, height, segments_completed, segments_total FROM renditions
       WHERE job_id = COALESCE(j.waits_for, j.id) ORDER BY position) r) AS renditions,
    q.waiting_for, CASE WHEN q.waiting_for = 'place' THEN COALESCE(w.id, j.id) END AS in_line,
    COALESCE(w.pace, j.pace) AS pace, COALESCE(w.source_complete, j.source_complete) AS source_complete,
    extract(epoch FROM clock_timestamp())::double precision AS now
  FROM jobs j
  JOIN assets a ON a.id = j.asset_id
  LEFT JOIN jobs w ON w.id = j.waits_for AND j.status IN ('pending', 'processing')
  LEFT JOIN LATERAL (
    SELECT id, filename, bytes_received, file_size, user_id, batch_id FROM upload_sessions u
    WHERE job_id = j.id AND ${sessionWithin('u', SIGHT_FROM)}
    ORDER BY (id = $2::uuid) DESC NULLS LAST, created_at LIMIT 1) s ON true
  CROSS JOIN LATERAL (SELECT CASE WHEN COALESCE(w.status, j.status) <> 'pending' THEN NULL
      WHEN NOT COALESCE(w.source_complete, j.source_complete) THEN 'upload'
      WHEN COALESCE(w.scan, j.scan) = 'pending' AND $3 THEN 'scan'
      WHEN COALESCE(w.plan_lease_expires_at, j.plan_lease_expires_at) > now() THEN NULL
      ELSE 'place' END AS waiting_for) q
  WHERE j.id = ANY($1) AND ${isSeen('j', SIGHT_FROM)}
  ORDER BY j.created_at DESC, j.id DESC`;

/** Where the jobs $1 stand in the line. */
export const placeQuery = (rules: PlaceRules) =>
  `SELECT id, place FROM (${jobLine(rules, '$1')}) AS line WHERE id = ANY ($1)`;
