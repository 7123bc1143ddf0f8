import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Files that are looked at by a virus scanner before they are worked on, or before they are shown (S3-09). */
export class Scan1700000300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs ADD COLUMN scan text NOT NULL DEFAULT 'off'
        CHECK (scan IN ('off', 'pending', 'clean', 'refused')), ADD COLUMN scan_since timestamptz;
      CREATE INDEX jobs_scan ON jobs (scan_since) WHERE scan = 'pending';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE jobs DROP COLUMN scan, DROP COLUMN scan_since');
  }
}
