/**
 * SQL of the line in which jobs wait for a place (docs/model.md, Places). The waiting jobs of one tenant and
 * one priority are a *lane*, oldest first; only heads of lanes age, so that who has many jobs gains nothing by it.
 */
export interface LineRules {
  PRIORITY_AGEING_SECONDS: number;
}

/** SQL: a row of `jobs` that stands in the index of the line; whether it may begin is asked of each. */
const IS_LISTED = `jobs.status = 'pending' AND jobs.waits_for IS NULL`;

interface Line {
  /** SQL: which of the listed jobs are in the line. */
  may: string;
  /** SQL: `tenant_id` of each job that has a place. */
  taken: string;
  /** SQL: so many of a lane are looked at, at most; may name `lane.tenant_id` and `lane.priority`. */
  most: string;
}

/**
 * SQL, what stands in a WITH RECURSIVE: `taken`, places by tenant; `ranked`, the line with what it is ordered by.
 * Lanes are found by skipping from one to the next in the index, and read from their heads, so what the line
 * costs goes with the number of lanes and not of jobs.
 */
export const rankedLine = (rules: LineRules, { may, taken, most }: Line): string => `
  taken AS MATERIALIZED (SELECT tenant_id, count(*)::integer AS places FROM (${taken}) AS placed GROUP BY tenant_id),
  lane AS (
    (SELECT jobs.tenant_id, jobs.priority FROM jobs WHERE ${IS_LISTED} ORDER BY jobs.tenant_id, jobs.priority LIMIT 1)
    UNION ALL
    SELECT following.* FROM lane CROSS JOIN LATERAL (SELECT jobs.tenant_id, jobs.priority FROM jobs
      WHERE ${IS_LISTED} AND (jobs.tenant_id, jobs.priority) > (lane.tenant_id, lane.priority)
      ORDER BY jobs.tenant_id, jobs.priority LIMIT 1) AS following),
  waiting AS (
    SELECT lane.tenant_id, lane.priority, job.id, job.created_at, turns.served_at,
      row_number() OVER (PARTITION BY lane.tenant_id, lane.priority ORDER BY job.created_at, job.id) = 1 AS is_head
    FROM lane LEFT JOIN tenant_turns AS turns USING (tenant_id, priority)
    CROSS JOIN LATERAL (SELECT jobs.id, jobs.created_at FROM jobs
      WHERE ${IS_LISTED} AND jobs.tenant_id = lane.tenant_id AND jobs.priority = lane.priority AND ${may}
      ORDER BY jobs.created_at, jobs.id LIMIT ${most}) AS job),
  aged AS (
    SELECT *, priority + CASE WHEN is_head THEN floor(GREATEST(0, extract(epoch FROM
      now() - GREATEST(created_at, served_at))) / ${Math.trunc(rules.PRIORITY_AGEING_SECONDS)}) ELSE 0 END AS urgency FROM waiting),
  ranked AS (
    SELECT aged.id, aged.tenant_id, aged.priority, urgency,
      COALESCE(taken.places, 0) + row_number() OVER (PARTITION BY aged.tenant_id ORDER BY urgency DESC, created_at, id) AS share,
      GREATEST(min(created_at) OVER (PARTITION BY aged.tenant_id),
        (SELECT max(t.served_at) FROM tenant_turns AS t WHERE t.tenant_id = aged.tenant_id)) AS waits_since
    FROM aged LEFT JOIN taken USING (tenant_id))`;

/**
 * The most urgent first; among these the tenant with the fewest places, this one counted, and then the one that
 * has waited longest for its turn. No two are equal.
 */
export const LINE_ORDER = 'urgency DESC, share, waits_since, tenant_id';

/** More than there are priorities: the aged heads of a tenant's own lanes. */
const HEADS = 10;

/** SQL: of the jobs `ids` (an array), or those whose work they wait for, the last one in each lane. */
const lastAsked = (ids: string): string =>
  `(SELECT DISTINCT ON (jobs.tenant_id, jobs.priority) jobs.tenant_id, jobs.priority, jobs.created_at, jobs.id FROM jobs
     WHERE ${IS_LISTED} AND jobs.id IN (SELECT COALESCE(every.waits_for, every.id) FROM jobs AS every WHERE every.id = ANY (${ids}))
     ORDER BY jobs.tenant_id, jobs.priority, jobs.created_at DESC, jobs.id DESC) AS asked`;

/**
 * SQL: so many of a lane may stand before one of the jobs `ids` (an array), or null for all of them: of those that
 * are not more urgent no tenant has more before a job than the job's own tenant has places, and others before it.
 */
export const mayStandBefore = (ids: string): string =>
  `CASE WHEN lane.priority > (SELECT min(asked.priority) FROM ${lastAsked(ids)}) THEN NULL
     ELSE (SELECT COALESCE(max(${HEADS} + COALESCE(taken.places, 0)
         + (SELECT count(*) FROM jobs WHERE ${IS_LISTED} AND jobs.tenant_id = asked.tenant_id AND jobs.priority > asked.priority)
         + (SELECT count(*) FROM jobs WHERE ${IS_LISTED} AND jobs.tenant_id = asked.tenant_id AND jobs.priority = asked.priority
             AND (jobs.created_at, jobs.id) <= (asked.created_at, asked.id))), 0)
       FROM ${lastAsked(ids)} LEFT JOIN taken USING (tenant_id)) END`;
