import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who computes a file's digest; the cheap question about a known file; jobs that share the work of another. */
export class Dedup1700000200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE upload_sessions ADD COLUMN digest_owner text, ADD COLUMN digest_until timestamptz;

      ALTER TABLE assets ADD COLUMN edges_sha256 char(64);
      CREATE INDEX assets_in_progress ON assets (tenant_id, sha256, profile)
        WHERE status = 'provisional' AND sha256 IS NOT NULL;
      CREATE INDEX assets_edges ON assets (tenant_id, edges_sha256, size)
        WHERE status IN ('provisional', 'ready') AND edges_sha256 IS NOT NULL;

      ALTER TABLE jobs ADD COLUMN waits_for uuid REFERENCES jobs (id) ON DELETE SET NULL;
      CREATE INDEX jobs_waiting ON jobs (waits_for) WHERE waits_for IS NOT NULL;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs DROP COLUMN waits_for;
      ALTER TABLE assets DROP COLUMN edges_sha256;
      ALTER TABLE upload_sessions DROP COLUMN digest_owner, DROP COLUMN digest_until;
    `);
  }
}
