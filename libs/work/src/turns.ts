import type { EntityManager } from '#persistence';
import type { LineRules } from './line.js';
import { IS_WAITING, nextTurn, SPAN_ENTRY, type SpanEntry } from './span-entries.js';

/** The most urgent that there is; waiting leads no further. */
const TOP_PRIORITY = 10;

/** SQL: a row of `spans` that only waits for a processor. */
const IS_READY = `spans.status = 'pending' AND spans.released AND NOT ${IS_WAITING}`;

/**
 * Where several tenants have work of the same priority, the spans of each stand one in a round: of a tenant with
 * three jobs each has its next span three rounds later. Told anew when a job begins or ends; entries in the queue
 * follow (`revive`). Rows that somebody else works on are left for the next time.
 */
export async function shareTurns(manager: EntityManager): Promise<void> {
  await manager.query(
    `WITH at_work AS (
       SELECT jobs.id, jobs.tenant_id, jobs.priority, jobs.turn, jobs.stride, (SELECT min(spans.position) FROM spans
         WHERE spans.job_id = jobs.id AND spans.kind = 'video' AND ${IS_READY}) AS next
       FROM jobs WHERE jobs.status = 'processing'),
     shared AS (
       SELECT id, stride, priority, next, row_number() OVER (own ORDER BY turn + next * stride, id) - 1 AS nth,
         CASE WHEN min(tenant_id) OVER everybody <> max(tenant_id) OVER everybody
           THEN count(*) OVER (PARTITION BY priority, tenant_id) ELSE 1 END AS share
       FROM at_work WHERE next IS NOT NULL
       WINDOW own AS (PARTITION BY priority, tenant_id), everybody AS (PARTITION BY priority)),
     moved AS (
       SELECT jobs.id, shared.share, shared.next, shared.nth FROM shared JOIN jobs USING (id)
       WHERE shared.share <> shared.stride ORDER BY jobs.id FOR UPDATE OF jobs SKIP LOCKED)
     UPDATE jobs SET stride = moved.share,
       turn = ${nextTurn('jobs.priority')} + CASE WHEN moved.share > 1 THEN moved.nth ELSE 0 END - moved.next * moved.share
     FROM moved WHERE jobs.id = moved.id`,
  );
}

/**
 * The next span of a job of which none has begun for long gains a step of priority for each PRIORITY_AGEING_SECONDS,
 * and stands before the rounds there. One span a job: the rest waits on, and ages anew. Answers with those that moved.
 */
export async function ageSpans(manager: EntityManager, rules: LineRules): Promise<SpanEntry[]> {
  const [moved] = (await manager.query(
    `WITH ready AS (
       SELECT DISTINCT ON (spans.job_id, spans.kind = 'video') spans.id, jobs.priority,
         (SELECT max(other.updated_at) FROM spans AS other
           WHERE other.job_id = spans.job_id AND (other.kind = 'video') = (spans.kind = 'video')) AS since
       FROM spans JOIN jobs ON jobs.id = spans.job_id
       WHERE jobs.status = 'processing' AND jobs.priority < ${TOP_PRIORITY} AND ${IS_READY} AND NOT EXISTS (
         SELECT 1 FROM spans AS begun WHERE begun.job_id = spans.job_id AND begun.status = 'running'
           AND (begun.kind = 'video') = (spans.kind = 'video'))
       ORDER BY spans.job_id, spans.kind = 'video', spans.position),
     aged AS (
       SELECT id, LEAST(${TOP_PRIORITY} - priority,
         floor(extract(epoch FROM now() - since) / ${Math.trunc(rules.PRIORITY_AGEING_SECONDS)}))::smallint AS boost FROM ready)
     UPDATE spans SET boost = aged.boost FROM aged WHERE spans.id = aged.id AND aged.boost > spans.boost
     RETURNING spans.id`,
  )) as [{ id: string }[], number];
  if (moved.length === 0) return [];
  return (await manager.query(
    `SELECT ${SPAN_ENTRY} FROM spans JOIN jobs ON jobs.id = spans.job_id
     WHERE spans.id = ANY ($1) AND spans.status = 'pending'`,
    [moved.map(({ id }) => id)],
  )) as SpanEntry[];
}
