import { mayBePlanned, NO_PLANNER, type PlanRules } from './plans.js';
import { IS_WAITING } from './span-entries.js';

export interface PlaceRules extends PlanRules {
  PROCESSING_MAX_CONCURRENT_JOBS: number;
}

/**
 * SQL: a row of `jobs` that has one of the PROCESSING_MAX_CONCURRENT_JOBS places: it is being planned, or it is
 * in processing and has something to do. Who only waits, for bytes of a slow upload or for a verdict,
 * leaves its place to another one and goes on beside it when what it waits for has come.
 */
const HAS_PLACE = `(jobs.status = 'pending' AND jobs.plan_lease_expires_at > now()
  OR jobs.status = 'processing' AND (
    jobs.source_complete AND jobs.scan <> 'pending'
    OR EXISTS (SELECT 1 FROM spans WHERE spans.job_id = jobs.id
      AND (spans.status = 'running' OR spans.status = 'pending' AND spans.released AND NOT ${IS_WAITING}))
    OR EXISTS (SELECT 1 FROM upload_sessions u WHERE u.job_id = jobs.id AND u.status = 'active'
      AND u.updated_at > now() - interval '2 seconds')))`;

/** Below zero where jobs went on that had left their places. */
const placesLeft = (rules: PlaceRules) => `(${Math.trunc(rules.PROCESSING_MAX_CONCURRENT_JOBS)}
    - (SELECT count(*) FROM jobs WHERE jobs.status IN ('pending', 'processing') AND ${HAS_PLACE}))`;

/** One that could not be planned a moment ago lets the others go first. */
const mayBegin = (rules: PlaceRules) =>
  `${mayBePlanned(rules)} AND ${NO_PLANNER} AND (jobs.plan_after IS NULL OR jobs.plan_after < now())`;

/** SQL: those whose turn it is, one for each free place; the most urgent first, then the oldest. */
export const dueJobs = (rules: PlaceRules) => `SELECT jobs.id, jobs.priority FROM jobs
  WHERE ${mayBegin(rules)} ORDER BY jobs.priority DESC, jobs.created_at, jobs.id LIMIT GREATEST(0, ${placesLeft(rules)})`;

/** SQL: those that could begin if one of the others left its place. */
export const jobsWithoutPlace = (rules: PlaceRules) =>
  `SELECT jobs.id FROM jobs WHERE ${mayBegin(rules)} AND ${placesLeft(rules)} = 0`;
