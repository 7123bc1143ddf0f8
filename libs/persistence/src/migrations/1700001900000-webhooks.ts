import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Who is told of facts, and what each is told. No foreign keys: a fact must not fail, or wait, because an
 * endpoint is being deleted; what is left behind is swept. A message outlives its job's row.
 */
export class Webhooks1700001900000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE webhook_endpoints (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        url text NOT NULL,
        description text,
        events text[] NOT NULL,
        secret text NOT NULL,
        previous_secret text,
        previous_until timestamptz,
        failures integer NOT NULL DEFAULT 0,
        failing_since timestamptz,
        disabled_at timestamptz,
        disabled_reason text CHECK (disabled_reason IN ('asked', 'failing', 'gone')),
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX webhook_endpoints_tenant ON webhook_endpoints (tenant_id, created_at);

      CREATE TABLE webhook_deliveries (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        number bigint GENERATED ALWAYS AS IDENTITY,
        endpoint_id uuid NOT NULL,
        tenant_id text NOT NULL,
        job_id uuid,
        event_type text NOT NULL,
        body text NOT NULL,
        status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'delivered', 'failed')),
        attempts integer NOT NULL DEFAULT 0,
        due_at timestamptz NOT NULL DEFAULT now(),
        retry_from timestamptz NOT NULL DEFAULT now(),
        last_attempt_at timestamptz,
        last_status smallint,
        last_error text,
        ended_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX webhook_deliveries_due ON webhook_deliveries (endpoint_id, due_at) WHERE status = 'pending';
      CREATE INDEX webhook_deliveries_listed ON webhook_deliveries (endpoint_id, number);
      CREATE INDEX webhook_deliveries_ended ON webhook_deliveries (ended_at) WHERE status <> 'pending';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE webhook_deliveries, webhook_endpoints');
  }
}
