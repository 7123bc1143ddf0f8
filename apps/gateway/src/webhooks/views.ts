import type { WebhookData, WebhookDeliveryData } from '#contracts';
import type { DeliveryRow } from './delivery-rows.js';
import type { EndpointRow } from './endpoint-rows.js';

export function toWebhook(row: EndpointRow): WebhookData {
  return {
    id: row.id,
    url: row.url,
    description: row.description,
    events: row.events,
    enabled: row.disabled_at === null,
    disabled_reason: row.disabled_reason,
    disabled_at: iso(row.disabled_at),
    failing_since: iso(row.failing_since),
    previous_secret_until: iso(row.previous_until),
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
  };
}

export function toDelivery(row: DeliveryRow): WebhookDeliveryData {
  return {
    id: row.id,
    webhook_id: row.endpoint_id,
    event_type: row.event_type,
    job_id: row.job_id,
    status: row.status,
    attempts: row.attempts,
    created_at: row.created_at.toISOString(),
    last_attempt_at: iso(row.last_attempt_at),
    next_attempt_at: row.status === 'pending' ? row.due_at.toISOString() : null,
    last_status: row.last_status,
    last_error: row.last_error,
  };
}

const iso = (date: Date | null) => date?.toISOString() ?? null;
