import type { EntityManager } from '#persistence';
import type { QueueProducer } from '#queue';
import { covers } from './bytes.js';
import {
  enqueueSpans,
  IS_WAITING,
  nextTurn,
  queuedSpan,
  SPAN_COLUMNS,
  type SpanEntry,
} from './span-entries.js';

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
       SELECT n.id, j.priority, j.turn, j.stride FROM spans n JOIN jobs j ON j.id = n.job_id
       WHERE NOT n.released AND n.status = 'pending' AND j.status = 'processing' AND ($1::uuid IS NULL OR n.job_id = $1)
         AND (j.source_complete OR (n.bytes_to IS NOT NULL AND EXISTS (SELECT 1 FROM upload_sessions s
           WHERE s.job_id = j.id AND s.status = 'active' AND ${covers('s.id', 'n.bytes_from', 'n.bytes_to')})))
       ORDER BY j.priority DESC, n.position LIMIT ${MOST_AT_ONCE})
     UPDATE spans SET released = true, updated_at = now() FROM due
     WHERE spans.id = due.id AND NOT spans.released AND spans.status = 'pending'
     RETURNING ${SPAN_COLUMNS}, due.priority, due.turn, due.stride, ${IS_WAITING} AS waiting`,
    [jobId],
  )) as [(SpanEntry & { waiting: boolean })[], number];
  const due = released.filter((span) => !span.waiting).sort((a, b) => a.position - b.position);
  const turns = await joinRound(manager, due);
  await enqueueSpans(
    producer,
    due.map((span) => queuedSpan({ ...span, turn: turns.get(span.job_id) ?? span.turn })),
  );
}

/** Who has waited for bytes while others went on gets no more of the processors for that than they do. */
async function joinRound(manager: EntityManager, due: SpanEntry[]): Promise<Map<string, number>> {
  const turns = new Map<string, number>();
  for (const span of due) {
    if (span.kind !== 'video' || turns.has(span.job_id)) continue;
    const [rows] = (await manager.query(
      `UPDATE jobs SET turn = ${nextTurn('jobs.priority')} - 1 - $2::integer * stride
       WHERE id = $1 AND turn < ${nextTurn('jobs.priority')} - 1 - $2::integer * stride RETURNING turn`,
      [span.job_id, span.position],
    )) as [{ turn: number }[], number];
    turns.set(span.job_id, rows[0]?.turn ?? span.turn);
  }
  return turns;
}
