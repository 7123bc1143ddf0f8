import { type TenantFact, WEBHOOK_EVENTS, type WebhookMessage } from '#contracts';
import type { EntityManager } from '#persistence';

/** Gateways hear here of which endpoint there is something to send: best effort, rows decide. */
export const WEBHOOKS_CHANNEL = 'sluice_webhooks';

/**
 * Writes a durable fact for every endpoint of its tenant that has chosen it, in the fact's transaction: there
 * is no fact without its messages, and no message without its fact. The body stays what it is, so that every
 * attempt signs the same bytes.
 */
export async function addDeliveries(
  manager: EntityManager,
  { tenant_id: tenantId, fact }: TenantFact,
): Promise<void> {
  const type = WEBHOOK_EVENTS.find((event) => event === fact.event_type);
  if (!fact.durable || !type) return;
  const message: WebhookMessage = { type, timestamp: fact.timestamp, data: fact };
  await manager.query(
    `WITH added AS (
       INSERT INTO webhook_deliveries (endpoint_id, tenant_id, job_id, event_type, body)
       SELECT id, tenant_id, $2, $3, $4 FROM webhook_endpoints
       WHERE tenant_id = $1 AND disabled_at IS NULL AND $3 = ANY(events)
       RETURNING endpoint_id)
     SELECT pg_notify($5, endpoint_id::text) FROM added`,
    [tenantId, fact.job_id, type, JSON.stringify(message), WEBHOOKS_CHANNEL],
  );
}
