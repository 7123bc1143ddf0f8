import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  MAX_WEBHOOKS_PER_TENANT,
  SluiceError,
  WEBHOOK_EVENTS,
  type WebhookDisabledReason,
  type WebhookEvent,
} from '#contracts';
import type { ServiceContext } from '#http';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';
import { newSecret } from './signature.js';
import { Vault } from './vault.js';

export interface EndpointRow {
  id: string;
  url: string;
  description: string | null;
  events: WebhookEvent[];
  previous_until: Date | null;
  failing_since: Date | null;
  disabled_at: Date | null;
  disabled_reason: WebhookDisabledReason | null;
  created_at: Date;
  updated_at: Date;
}

const COLUMNS = `id, url, description, events, failing_since, disabled_at, disabled_reason, created_at, updated_at,
  CASE WHEN previous_until > now() THEN previous_until END AS previous_until`;

export interface EndpointChange {
  url?: string | undefined;
  description?: string | null | undefined;
  events?: WebhookEvent[] | undefined;
  enabled?: boolean | undefined;
}

/** Endpoints of a tenant. What another tenant has is not found. */
@Injectable()
export class EndpointRows {
  private readonly vault: Vault;

  constructor(
    @Inject(CONTEXT) { environment }: ServiceContext,
    @Inject(DATABASE) private readonly database: Database,
  ) {
    this.vault = new Vault(environment.INTERNAL_SECRET);
  }

  async create(
    tenantId: string,
    { url, description, events }: EndpointChange & { url: string },
  ): Promise<{ row: EndpointRow; secret: string }> {
    const id = randomUUID();
    const secret = newSecret();
    const [row] = await this.database.query<EndpointRow[]>(
      `INSERT INTO webhook_endpoints (id, tenant_id, url, description, events, secret)
       SELECT $1, $2, $3, $4, $5, $6
       WHERE (SELECT count(*) FROM webhook_endpoints WHERE tenant_id = $2) < ${MAX_WEBHOOKS_PER_TENANT}
       RETURNING ${COLUMNS}`,
      [id, tenantId, url, description ?? null, events ?? WEBHOOK_EVENTS, this.vault.seal(id, secret)],
    );
    if (!row) {
      throw new SluiceError(
        'too_many_webhooks',
        `There are ${MAX_WEBHOOKS_PER_TENANT} endpoints, the most that a tenant may have; delete one first.`,
      );
    }
    return { row, secret };
  }

  list(tenantId: string): Promise<EndpointRow[]> {
    return this.database.query<EndpointRow[]>(
      `SELECT ${COLUMNS} FROM webhook_endpoints WHERE tenant_id = $1 ORDER BY created_at, id`,
      [tenantId],
    );
  }

  async find(tenantId: string, id: string): Promise<EndpointRow> {
    const rows = await this.database.query<EndpointRow[]>(
      `SELECT ${COLUMNS} FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2`,
      [tenantId, id],
    );
    return found(rows);
  }

  /** One that is enabled again begins as if it had never failed. */
  async update(tenantId: string, id: string, change: EndpointChange): Promise<EndpointRow> {
    const [rows] = await this.database.query<[EndpointRow[], number]>(
      `UPDATE webhook_endpoints SET
         url = COALESCE($3, url), events = COALESCE($4, events),
         description = CASE WHEN $5 THEN $6 ELSE description END,
         disabled_at = CASE $7::boolean WHEN true THEN NULL WHEN false THEN COALESCE(disabled_at, now())
           ELSE disabled_at END,
         disabled_reason = CASE $7::boolean WHEN true THEN NULL WHEN false THEN COALESCE(disabled_reason, 'asked')
           ELSE disabled_reason END,
         failures = CASE WHEN $7::boolean THEN 0 ELSE failures END,
         failing_since = CASE WHEN $7::boolean THEN NULL ELSE failing_since END,
         updated_at = now()
       WHERE tenant_id = $1 AND id = $2 RETURNING ${COLUMNS}`,
      [
        ...[tenantId, id, change.url ?? null, change.events ?? null],
        ...[change.description !== undefined, change.description ?? null, change.enabled ?? null],
      ],
    );
    return found(rows);
  }

  /** Its messages go with it; one that a fact is adding in this moment is swept. */
  async remove(tenantId: string, id: string): Promise<void> {
    await this.database.transaction(async (manager) => {
      const [rows] = (await manager.query(
        'DELETE FROM webhook_endpoints WHERE tenant_id = $1 AND id = $2 RETURNING id',
        [tenantId, id],
      )) as [EndpointRow[], number];
      found(rows);
      await manager.query('DELETE FROM webhook_deliveries WHERE endpoint_id = $1', [id]);
    });
  }

  /** The old secret signs, too, for `overlapHours`. */
  async rotate(
    tenantId: string,
    id: string,
    overlapHours: number,
  ): Promise<{ row: EndpointRow; secret: string }> {
    const secret = newSecret();
    const [rows] = await this.database.query<[EndpointRow[], number]>(
      `UPDATE webhook_endpoints SET previous_secret = secret, previous_until = now() + $4 * interval '1 hour',
         secret = $3, updated_at = now()
       WHERE tenant_id = $1 AND id = $2 RETURNING ${COLUMNS}`,
      [tenantId, id, this.vault.seal(id, secret), overlapHours],
    );
    return { row: found(rows), secret };
  }
}

function found([row]: EndpointRow[]): EndpointRow {
  if (!row)
    throw new SluiceError('webhook_not_found', 'There is no webhook with this id; it may have been deleted.');
  return row;
}
