import type { EntityManager } from '#persistence';
import type { QueueProducer } from '#queue';
import { covers } from './bytes.js';
import { enqueueSpans, IS_WAITING, queuedSpan, type SpanEntry } from './span-entries.js';

/** In one statement; the reconciler comes again for the rest. */
const MOST_AT_ONCE = 500;

/**
 * Marks the spans whose bytes are confirmed (of one job, or of all) and queues those that nothing else
 * holds back. The row first: an entry that is lost is added again by the reconciler.
 */
export async function releaseSpans(
  manager: EntityManager,
  producer: QueueProducer,
  jobId: string | null = null,
): Promise<void> {
  const [released] = (await manager.query(
    `WITH due AS (
       SELECT n.id, j.priority FROM spans n JOIN jobs j ON j.id = n.job_id
       WHERE NOT n.released AND n.status = 'pending' AND j.status = 'processing' AND ($1::uuid IS NULL OR n.job_id = $1)
         AND (j.source_complete OR (n.bytes_to IS NOT NULL AND EXISTS (SELECT 1 FROM upload_sessions s
           WHERE s.job_id = j.id AND s.status = 'active' AND ${covers('s.id', 'n.bytes_from', 'n.bytes_to')})))
       ORDER BY j.priority DESC, n.position LIMIT ${MOST_AT_ONCE})
     UPDATE spans SET released = true, updated_at = now() FROM due
     WHERE spans.id = due.id AND NOT spans.released AND spans.status = 'pending'
     RETURNING spans.id, spans.job_id, spans.kind, spans.position, due.priority, ${IS_WAITING} AS waiting`,
    [jobId],
  )) as [(SpanEntry & { waiting: boolean })[], number];
  const due = released.filter((span) => !span.waiting).sort((a, b) => a.position - b.position);
  await enqueueSpans(producer, due.map(queuedSpan));
}
