import { LINE_ORDER, type LineRules, mayStandBefore, rankedLine } from './line.js';
import { mayBePlanned, NO_PLANNER, type PlanRules } from './plans.js';
import { IS_WAITING } from './span-entries.js';

export interface PlaceRules extends PlanRules, LineRules {
  PROCESSING_MAX_CONCURRENT_JOBS: number;
}

const IS_BEING_PLANNED = `jobs.status = 'pending' AND jobs.plan_lease_expires_at > now()`;

/**
 * Who only waits, for bytes of a slow upload or for a verdict, leaves its place to another one and goes on beside
 * it when what it waits for has come.
 */
const IS_AT_WORK = `jobs.status = 'processing' AND (
    jobs.source_complete AND jobs.scan <> 'pending'
    OR EXISTS (SELECT 1 FROM spans WHERE spans.job_id = jobs.id
      AND (spans.status = 'running' OR spans.status = 'pending' AND spans.released AND NOT ${IS_WAITING}))
    OR EXISTS (SELECT 1 FROM upload_sessions u WHERE u.job_id = jobs.id AND u.status = 'active'
      AND u.updated_at > now() - interval '2 seconds'))`;

/** SQL: rows of `jobs` that have one of the PROCESSING_MAX_CONCURRENT_JOBS places. */
export const occupiedPlaces = `(${IS_BEING_PLANNED} OR ${IS_AT_WORK})`;

/** SQL: the tenants of these. In two parts, so that each is read by its index. */
const TAKEN = `SELECT jobs.tenant_id FROM jobs WHERE ${IS_BEING_PLANNED}
  UNION ALL SELECT jobs.tenant_id FROM jobs WHERE ${IS_AT_WORK}`;

const most = (rules: PlaceRules) => Math.trunc(rules.PROCESSING_MAX_CONCURRENT_JOBS);

/** One that could not be planned a moment ago lets the others go first. */
const mayBegin = (rules: PlaceRules) =>
  `${mayBePlanned(rules)} AND ${NO_PLANNER} AND (jobs.plan_after IS NULL OR jobs.plan_after < now())`;

/** SQL: those whose turn it is, one for each free place, in the order of the line. None where jobs went on that had left their places. */
export const dueJobs = (rules: PlaceRules) => `WITH RECURSIVE
  free AS MATERIALIZED (SELECT GREATEST(0, ${most(rules)} - COALESCE(sum(places), 0))::integer AS places FROM taken),
  ${rankedLine(rules, { may: mayBegin(rules), taken: TAKEN, most: '(SELECT places FROM free)' })}
  SELECT id, tenant_id, priority FROM ranked ORDER BY ${LINE_ORDER} LIMIT (SELECT places FROM free)`;

/** SQL: where the jobs `ids` (an array) stand in the line, and others: 1 is next, if nothing ends and nobody comes. */
export const jobLine = (rules: PlaceRules, ids: string) => `WITH RECURSIVE
  ${rankedLine(rules, {
    may: `${mayBePlanned(rules)} AND ${NO_PLANNER}`,
    taken: TAKEN,
    most: mayStandBefore(ids),
  })}
  SELECT id, (row_number() OVER (ORDER BY ${LINE_ORDER}))::integer AS place FROM ranked`;

/** SQL: those that could begin if one of the others left its place. */
export const jobsWithoutPlace = (rules: PlaceRules) =>
  `SELECT jobs.id FROM jobs WHERE ${mayBegin(rules)} AND (SELECT count(*) FROM (${TAKEN}) AS placed) >= ${most(rules)}`;

/** SQL: the jobs of `from` have got their places, and the others of their lanes wait from now on. */
export const noteTurns = (from: string) =>
  `INSERT INTO tenant_turns (tenant_id, priority, served_at) SELECT tenant_id, priority, clock_timestamp() FROM ${from}
   ON CONFLICT (tenant_id, priority) DO UPDATE SET served_at = excluded.served_at`;
