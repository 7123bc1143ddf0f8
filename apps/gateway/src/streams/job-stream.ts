import {
  type EventType,
  type Fact,
  type JobStatus,
  type JobView,
  STAGES,
  type StreamDone,
  type StreamProgress,
  type StreamStatus,
} from '#contracts';
import type { Bundle } from '../facts/bundle.js';
import type { FollowedJob } from '../facts/following.js';
import { type Rendering, serverSentEvent } from './event-stream.js';

export const isFinal = (status: JobStatus): boolean => status === 'completed' || status === 'failed';

export const statusOf = ({ id, status, stage, progress }: JobView): StreamStatus => ({
  job_id: id,
  status,
  stage,
  progress,
});

/** The outcome of a job that had ended when the stream began. */
export const doneOf = (view: JobView): StreamDone => ({
  ...statusOf(view),
  result: view.result,
  error_code: view.error_code,
  error_message: view.error_message,
  timestamp: view.completed_at ?? view.updated_at,
});

/** After each of these the job has ended. */
const ENDS: ReadonlySet<EventType> = new Set([
  'processing_completed',
  'processing_failed',
  'upload_failed',
  'session_expired',
]);

/**
 * Facts as S1-03 has them: `progress` for each, and `done` for the one that ends the job, after which the
 * stream closes. What was an end before the view, of a job that was tried again, is none.
 */
export function jobStream({ view, newest }: Pick<FollowedJob, 'view' | 'newest'>): Rendering {
  let { stage, progress } = view;
  const hadEnded = isFinal(view.status);
  const isEnd = (fact: Fact) =>
    fact.durable &&
    (hadEnded && fact.seq >= newest ? true : ENDS.has(fact.event_type) && fact.seq > view.seq);
  const toProgress = (fact: Fact): StreamProgress => {
    if (fact.stage && STAGES.indexOf(fact.stage) > STAGES.indexOf(stage)) stage = fact.stage;
    progress = Math.max(progress, fact.progress_percentage ?? 0);
    return { ...fact, stage, progress, message: fact.message ?? null };
  };
  const toDone = (fact: Fact): StreamDone => ({
    ...toProgress(fact),
    status: fact.event_type === 'processing_completed' ? 'completed' : 'failed',
    result: fact.result ?? null,
    error_code: fact.code ?? null,
    error_message: fact.code === undefined ? null : (fact.message ?? null),
    ...(hadEnded ? doneOf(view) : {}),
  });
  const rendering = ({ facts }: Bundle) => {
    const at = facts.findIndex(isEnd);
    const end = facts[at];
    const text = (end ? facts.slice(0, at) : facts).map((fact) =>
      serverSentEvent('progress', toProgress(fact), fact.id),
    );
    if (end) text.push(serverSentEvent('done', toDone(end), end.id));
    return { text: text.join(''), isEnd: end !== undefined };
  };
  const removed = () => {
    const done: StreamDone = {
      ...{ job_id: view.id, status: 'failed', stage, progress, result: null },
      error_code: 'cancelled',
      error_message: 'This job has been removed.',
      timestamp: new Date().toISOString(),
      ...(hadEnded ? doneOf(view) : {}),
    };
    return serverSentEvent('done', done);
  };
  return Object.assign(rendering, { removed });
}
