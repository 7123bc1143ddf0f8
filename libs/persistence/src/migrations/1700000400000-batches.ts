import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Sessions that belong together (S3-12). */
export class Batches1700000400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE upload_batches (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        name text,
        cancelled_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE INDEX upload_batches_cancelled ON upload_batches (cancelled_at) WHERE cancelled_at IS NOT NULL;
      ALTER TABLE upload_sessions ADD COLUMN batch_id uuid REFERENCES upload_batches (id) ON DELETE SET NULL;
      CREATE INDEX upload_sessions_batch ON upload_sessions (batch_id, created_at) WHERE batch_id IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE upload_sessions DROP COLUMN batch_id; DROP TABLE upload_batches');
  }
}
