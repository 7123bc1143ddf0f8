import { FINISHING_KINDS, type FinishingKind, type FinishingPayload, toQueuePriority } from '#contracts';
import { posterRendition } from './stored-media.js';

export interface TaskEntry {
  id: string;
  job_id: string;
  kind: FinishingKind;
  priority: number;
}

export const queuedTask = ({ id, job_id, kind, priority }: TaskEntry) => ({
  payload: { jobId: job_id, taskId: id } satisfies FinishingPayload,
  options: { priority: toQueuePriority(priority) + FINISHING_KINDS.indexOf(kind) },
});

/** SQL: true for a row of `finishing_tasks` that nobody holds. */
export const IS_FREE = `(finishing_tasks.status = 'pending'
  OR (finishing_tasks.status = 'running' AND finishing_tasks.lease_expires_at < now()))`;

/**
 * SQL over `finishing_tasks` and its row of `jobs`: its time has come. That is when the finished playlists are
 * stored, so that nobody waits for renditions because of it; a poster's already when the segment that it is
 * taken from is.
 */
export const IS_DUE = `(jobs.status = 'processing' AND (jobs.packaged_at IS NOT NULL
  OR (finishing_tasks.kind = 'poster' AND jobs.scan IN ('off', 'clean') AND EXISTS (
    SELECT 1 FROM segments JOIN renditions ON renditions.id = segments.rendition_id
    WHERE renditions.id = (${posterRendition('jobs.id')}) AND renditions.init_key IS NOT NULL
      AND segments.segment_index = renditions.segments_total / 10))))`;
