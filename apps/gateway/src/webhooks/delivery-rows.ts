import { Inject, Injectable } from '@nestjs/common';
import {
  type DeliveryStatus,
  SluiceError,
  WEBHOOK_TEST_EVENT,
  type WebhookDeliveryData,
  type WebhookMessage,
} from '#contracts';
import { WEBHOOKS_CHANNEL } from '#events';
import type { Database } from '../resources.js';
import { DATABASE } from '../tokens.js';

export interface DeliveryRow {
  id: string;
  number: number;
  endpoint_id: string;
  event_type: WebhookDeliveryData['event_type'];
  job_id: string | null;
  status: DeliveryStatus;
  attempts: number;
  created_at: Date;
  last_attempt_at: Date | null;
  due_at: Date;
  last_status: number | null;
  last_error: string | null;
}

const COLUMNS = `id, number, endpoint_id, event_type, job_id, status, attempts, created_at, last_attempt_at, due_at,
  last_status, last_error`;

/** In the order of their writing. */
export interface DeliveryFilter {
  status: DeliveryStatus | null;
  /** Only those that were written before this one. */
  before: number | null;
  atMost: number;
}

/** Messages of an endpoint as its owner sees them. The endpoint is known to be the tenant's. */
@Injectable()
export class DeliveryRows {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  list(tenantId: string, endpointId: string, filter: DeliveryFilter): Promise<DeliveryRow[]> {
    return this.database.query<DeliveryRow[]>(
      `SELECT ${COLUMNS} FROM webhook_deliveries
       WHERE endpoint_id = $1 AND tenant_id = $2 AND ($3::text IS NULL OR status = $3)
         AND ($4::bigint IS NULL OR number < $4)
       ORDER BY number DESC LIMIT $5`,
      [endpointId, tenantId, filter.status, filter.before, filter.atMost],
    );
  }

  async find(tenantId: string, endpointId: string, id: string): Promise<DeliveryRow & { body: string }> {
    const rows = await this.database.query<(DeliveryRow & { body: string })[]>(
      `SELECT ${COLUMNS}, body FROM webhook_deliveries WHERE id = $1 AND endpoint_id = $2 AND tenant_id = $3`,
      [id, endpointId, tenantId],
    );
    return found(rows);
  }

  async addTest(tenantId: string, endpointId: string): Promise<DeliveryRow> {
    const message: WebhookMessage = {
      type: WEBHOOK_TEST_EVENT,
      timestamp: new Date().toISOString(),
      data: { event_type: WEBHOOK_TEST_EVENT, message: 'If you can verify this, your webhook works.' },
    };
    const rows = await this.database.query<DeliveryRow[]>(
      `WITH added AS (
         INSERT INTO webhook_deliveries (endpoint_id, tenant_id, event_type, body)
         VALUES ($1, $2, $3, $4) RETURNING ${COLUMNS})
       SELECT ${COLUMNS} FROM added, pg_notify($5, endpoint_id::text)`,
      [endpointId, tenantId, WEBHOOK_TEST_EVENT, JSON.stringify(message), WEBHOOKS_CHANNEL],
    );
    return found(rows);
  }

  /** Sends a message again under its old id, delivered or not, with all of its time. */
  async resend(tenantId: string, endpointId: string, id: string): Promise<DeliveryRow> {
    const rows = await this.database.query<DeliveryRow[]>(
      `WITH again AS (
         UPDATE webhook_deliveries SET status = 'pending', due_at = now(), retry_from = now(), ended_at = NULL
         WHERE id = $1 AND endpoint_id = $2 AND tenant_id = $3 RETURNING ${COLUMNS})
       SELECT ${COLUMNS} FROM again, pg_notify($4, endpoint_id::text)`,
      [id, endpointId, tenantId, WEBHOOKS_CHANNEL],
    );
    return found(rows);
  }

  /** The same for all dead letters of an endpoint; how many there were. */
  async resendFailed(tenantId: string, endpointId: string): Promise<number> {
    const [again] = await this.database.query<{ count: number }[]>(
      `WITH again AS (
         UPDATE webhook_deliveries SET status = 'pending', due_at = now(), retry_from = now(), ended_at = NULL
         WHERE endpoint_id = $1 AND tenant_id = $2 AND status = 'failed' RETURNING endpoint_id),
       told AS (SELECT pg_notify($3, id) FROM (SELECT DISTINCT endpoint_id::text AS id FROM again) e)
       SELECT (SELECT count(*) FROM again) AS count, (SELECT count(*) FROM told) AS told`,
      [endpointId, tenantId, WEBHOOKS_CHANNEL],
    );
    return again?.count ?? 0;
  }
}

function found<T>([row]: T[]): T {
  if (!row) {
    throw new SluiceError(
      'delivery_not_found',
      'This webhook has no message with this id; what has ended is forgotten after a while.',
    );
  }
  return row;
}
