import type { Reach } from '#contracts';

/** The values of the three parameters that the conditions below read. */
export const reachValues = ({ tenantId, userId, sessionId }: Reach): (string | null)[] => [
  tenantId,
  userId,
  sessionId,
];

/** SQL: true for a row of `upload_sessions` within the reach whose values begin at the parameter `first`. */
export const sessionWithin = (row: string, first: number): string =>
  `(${row}.tenant_id = $${first} OR $${first}::text IS NULL)
   AND (${row}.user_id = $${first + 1} OR $${first + 1}::text IS NULL)
   AND (${row}.id = $${first + 2} OR $${first + 2}::uuid IS NULL)`;

/** SQL: the same for a row of `jobs`: a person's are those of their sessions. */
export const jobWithin = (row: string, first: number): string =>
  `(${row}.tenant_id = $${first} OR $${first}::text IS NULL)
   AND ($${first + 1}::text IS NULL AND $${first + 2}::uuid IS NULL OR EXISTS (
     SELECT 1 FROM upload_sessions own WHERE own.job_id = ${row}.id AND ${sessionWithin('own', first)}))`;

/** SQL: the same for a row of `assets`, which outlives the jobs that made it. */
export const assetWithin = (row: string, first: number): string =>
  `(${row}.tenant_id = $${first} OR $${first}::text IS NULL)
   AND ($${first + 1}::text IS NULL AND $${first + 2}::uuid IS NULL OR EXISTS (
     SELECT 1 FROM upload_sessions own WHERE own.asset_id = ${row}.id AND ${sessionWithin('own', first)}))`;
