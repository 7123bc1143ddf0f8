import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Keys of tenants, as digests; and what is a person's, which their tokens may see. */
export class Access1700001600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE api_keys (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        name text NOT NULL,
        hash bytea NOT NULL UNIQUE,
        hint text NOT NULL,
        scopes text[] NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        expires_at timestamptz,
        revoked_at timestamptz,
        last_used_at timestamptz,
        replaced_by uuid REFERENCES api_keys (id)
      );
      CREATE INDEX api_keys_tenant ON api_keys (tenant_id, created_at DESC);
      CREATE INDEX upload_sessions_user ON upload_sessions (tenant_id, user_id, created_at DESC)
        WHERE user_id IS NOT NULL
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX upload_sessions_user; DROP TABLE api_keys');
  }
}
