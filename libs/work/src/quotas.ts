import { type QuotaName, SluiceError, type TenantUsage, type TenantView } from '#contracts';
import type { EntityManager } from '#persistence';

/** What the deployment gives to every tenant whose row does not say; 0: as much as there is. */
export interface QuotaRules {
  QUOTA_BYTES_STORED: number;
  QUOTA_MINUTES_PER_MONTH: number;
  QUOTA_OPEN_SESSIONS: number;
}

type Quotas = Record<QuotaName, number | null>;

/** Any fixed number: sessions of one tenant are opened one by one where it has a quota. */
const QUOTA_LOCK = 7_351_993;

export async function tenantOf(manager: EntityManager, rules: QuotaRules, id: string): Promise<TenantView> {
  const { name, quotas, limits } = await quotasOf(manager, rules, id);
  return { id, name, quotas, limits, usage: await usageOf(manager, id, true) };
}

/**
 * Throws `quota_exceeded` where the tenant has no room for one more upload of `size` bytes (null: nobody has said;
 * such a one counts with what has come of it). In the transaction that opens it: two at once see each other.
 */
export async function admitUpload(
  manager: EntityManager,
  rules: QuotaRules,
  tenantId: string,
  size: number | null,
): Promise<void> {
  const { limits } = await quotasOf(manager, rules, tenantId);
  if (Object.values(limits).every((limit) => limit === null)) return;
  await manager.query('SELECT pg_advisory_xact_lock($1, hashtext($2))', [QUOTA_LOCK, tenantId]);
  const usage = await usageOf(manager, tenantId, limits.bytes_stored !== null);
  const bytes = usage.bytes_stored + usage.bytes_arriving;
  const { bytes_stored, minutes_per_month, open_sessions } = limits;
  if (open_sessions !== null && usage.open_sessions >= open_sessions)
    throw exceeded(
      'open_sessions',
      { limit: open_sessions, used: usage.open_sessions },
      `${open_sessions} uploads may be open at once; finish or cancel one first.`,
    );
  if (minutes_per_month !== null && usage.minutes_this_month >= minutes_per_month)
    throw exceeded(
      'minutes_per_month',
      { limit: minutes_per_month, used: usage.minutes_this_month },
      `The ${minutes_per_month} minutes of video of this month are used up; ask the operator for more, or wait for the next month.`,
    );
  if (bytes_stored !== null && bytes + (size ?? 1) > bytes_stored)
    throw exceeded(
      'bytes_stored',
      { limit: bytes_stored, used: bytes },
      `There is no room for this file: ${bytes} of ${bytes_stored} bytes are taken; delete something, or ask the operator for more.`,
    );
}

const exceeded = (quota: QuotaName, { limit, used }: { limit: number; used: number }, message: string) =>
  new SluiceError('quota_exceeded', message, { details: { quota, limit, used } });

async function quotasOf(
  manager: EntityManager,
  rules: QuotaRules,
  id: string,
): Promise<{ name: string | null; quotas: Quotas; limits: Quotas }> {
  const [row] = (await manager.query(
    'SELECT name, bytes_stored, minutes_per_month, open_sessions FROM tenants WHERE id = $1',
    [id],
  )) as ({ name: string | null } & Quotas)[];
  const quotas = {
    bytes_stored: row?.bytes_stored ?? null,
    minutes_per_month: row?.minutes_per_month ?? null,
    open_sessions: row?.open_sessions ?? null,
  };
  const limits = {
    bytes_stored: (quotas.bytes_stored ?? rules.QUOTA_BYTES_STORED) || null,
    minutes_per_month: (quotas.minutes_per_month ?? rules.QUOTA_MINUTES_PER_MONTH) || null,
    open_sessions: (quotas.open_sessions ?? rules.QUOTA_OPEN_SESSIONS) || null,
  };
  return { name: row?.name ?? null, quotas, limits };
}

/** `countsBytes`: also those of files at work, which reads all open jobs of the tenant. */
async function usageOf(manager: EntityManager, id: string, countsBytes: boolean): Promise<TenantUsage> {
  const [usage] = (await manager.query(
    `WITH arriving AS (
       SELECT GREATEST(COALESCE(file_size, 0), bytes_received) AS bytes, true AS open
       FROM upload_sessions WHERE tenant_id = $1 AND status = 'active'
       UNION ALL
       SELECT s.bytes_received, false FROM jobs j JOIN upload_sessions s ON s.job_id = j.id AND s.status = 'completed'
       WHERE $2::boolean AND j.tenant_id = $1 AND j.status IN ('pending', 'processing') AND j.waits_for IS NULL)
     SELECT COALESCE((SELECT bytes_stored FROM tenant_usage WHERE tenant_id = $1), 0)::bigint AS bytes_stored,
       (SELECT COALESCE(sum(bytes), 0) FROM arriving)::bigint AS bytes_arriving,
       (SELECT count(*) FROM arriving WHERE open)::integer AS open_sessions,
       COALESCE((SELECT round((seconds_encoded / 60)::numeric, 2) FROM tenant_months
         WHERE tenant_id = $1 AND month = date_trunc('month', now() AT TIME ZONE 'UTC')::date), 0)::float8 AS minutes_this_month`,
    [id, countsBytes],
  )) as [TenantUsage];
  return usage;
}
