import { PRIORITY_WIDTH, type QueueName, type SpanPayload, toQueuePriority } from '#contracts';
import type { PlannedSpan } from '#media';
import type { EntityManager } from '#persistence';
import type { QueueProducer } from '#queue';

export interface QueuedSpan {
  queue: Extract<QueueName, 'span' | 'follower' | 'long-follower' | 'index'>;
  payload: SpanPayload;
  options: { priority: number };
}

/** A row of `spans` with its job's priority, as much as its queue entry is made of. */
export interface SpanEntry {
  id: string;
  job_id: string;
  kind: PlannedSpan['kind'];
  position: number;
  segment_count: number | null;
  priority: number;
  /** `jobs.turn`, `jobs.stride` */
  turn: number;
  stride: number;
  /** `spans.boost` */
  boost: number;
  /** Others of its job wait for it: somebody waits for the stream to be playable. */
  opens: boolean;
}

/** Ten minutes of video. Longer followers have slots of their own: they run for minutes, and others are waited for. */
export const LONG_FOLLOWER_SEGMENTS = 150;

const queueOf = ({ kind, segment_count }: SpanEntry): QueuedSpan['queue'] => {
  if (kind === 'video') return 'span';
  if (kind === 'index') return 'index';
  return (segment_count ?? 0) > LONG_FOLLOWER_SEGMENTS ? 'long-follower' : 'follower';
};

export const queuedSpan = (span: SpanEntry): QueuedSpan => ({
  queue: queueOf(span),
  payload: { jobId: span.job_id, spanId: span.id },
  options: { priority: toQueuePriority(Math.min(10, span.priority + span.boost)) + placeInRounds(span) },
});

/**
 * Where a span stands among those of the same priority. A job begins in the round after the one that is being
 * run, and its spans follow round by round, in their order: each round has one span of every job, so that a
 * long job neither holds up a short one that comes later nor is held up by a stream of them. What makes a
 * stream playable stands before all rounds, and so does what has waited for so long that it counts as more urgent.
 */
const placeInRounds = ({ kind, opens, turn, stride, boost, position }: SpanEntry): number => {
  if (kind !== 'video' || opens) return 0;
  return boost > 0 ? 1 : Math.max(1, Math.min(1 + turn + position * stride, PRIORITY_WIDTH - 1));
};

/** SQL: the round after the last one of which a span has begun, among the jobs of this priority that are at work. */
export const nextTurn = (
  priority: string,
) => `COALESCE((SELECT 1 + max(other.turn + begun.position * other.stride)
  FROM jobs AS other JOIN spans AS begun ON begun.job_id = other.id
  WHERE other.status = 'processing' AND other.priority = ${priority}
    AND begun.kind = 'video' AND begun.status IN ('running', 'done')), 0)`;

/** The job's next span stands in the next round of its priority, and never before where it stood: who asks again and again gains nothing. */
export async function joinTurn(manager: EntityManager, jobId: string): Promise<void> {
  await manager.query(
    `UPDATE jobs SET turn = GREATEST(turn, ${nextTurn('jobs.priority')} - stride * COALESCE((SELECT min(next.position)
       FROM spans AS next WHERE next.job_id = jobs.id AND next.kind = 'video' AND next.status = 'pending'), 0))
     WHERE id = $1 AND status = 'processing'`,
    [jobId],
  );
}

/** SQL: what of `SpanEntry` a row of `spans` says. */
export const SPAN_COLUMNS = `spans.id, spans.job_id, spans.kind, spans.position, spans.segment_count, spans.boost, EXISTS (SELECT 1 FROM spans AS later WHERE later.job_id = spans.job_id
    AND (later.params ->> 'waitsFor')::integer = spans.position) AS opens`;

/** SQL: all of `SpanEntry`, of `spans` and `jobs`. */
export const SPAN_ENTRY = `${SPAN_COLUMNS}, jobs.priority, jobs.turn, jobs.stride`;

export async function enqueueSpans(producer: QueueProducer, spans: QueuedSpan[]): Promise<void> {
  for (const queue of ['follower', 'long-follower', 'index', 'span'] as const) {
    await producer.enqueueAll(
      queue,
      spans.filter((span) => span.queue === queue),
    );
  }
}

/** SQL: true for a row of `spans` whose time has not come, since the one that it waits for is not done. */
export const IS_WAITING = `EXISTS (SELECT 1 FROM spans AS earlier WHERE earlier.job_id = spans.job_id
  AND earlier.position = (spans.params ->> 'waitsFor')::integer AND earlier.status <> 'done')`;
