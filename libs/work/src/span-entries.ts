import { type QueueName, type SpanPayload, toQueuePriority } from '#contracts';
import type { PlannedSpan } from '#media';
import type { QueueProducer } from '#queue';

export interface QueuedSpan {
  queue: Extract<QueueName, 'span' | 'follower'>;
  payload: SpanPayload;
  options: { priority: number };
}

/** A row of `spans` with its job's priority, as much as its queue entry is made of. */
export interface SpanEntry {
  id: string;
  job_id: string;
  kind: PlannedSpan['kind'];
  position: number;
  priority: number;
}

/** Spans of the same job run in their order; the start span and the followers come first. */
const LOWEST_POSITION = 999;

export const queuedSpan = (span: SpanEntry): QueuedSpan => ({
  queue: span.kind === 'video' ? 'span' : 'follower',
  payload: { jobId: span.job_id, spanId: span.id },
  options: { priority: toQueuePriority(span.priority) + Math.min(span.position, LOWEST_POSITION) },
});

export async function enqueueSpans(producer: QueueProducer, spans: QueuedSpan[]): Promise<void> {
  for (const queue of ['follower', 'span'] as const) {
    await producer.enqueueAll(
      queue,
      spans.filter((span) => span.queue === queue),
    );
  }
}

/** SQL: true for a row of `spans` whose time has not come, since the one that it waits for is not done. */
export const IS_WAITING = `EXISTS (SELECT 1 FROM spans AS earlier WHERE earlier.job_id = spans.job_id
  AND earlier.position = (spans.params ->> 'waitsFor')::integer AND earlier.status <> 'done')`;
