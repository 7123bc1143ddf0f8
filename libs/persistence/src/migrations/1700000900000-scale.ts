import type { MigrationInterface, QueryRunner } from 'typeorm';

/** How work is shared: whose turn it is, and what can be switched while processes run. */
export class Scale1700000900000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs ADD COLUMN turn integer NOT NULL DEFAULT 0,
        ADD COLUMN plan_after timestamptz;
      CREATE INDEX jobs_turn ON jobs (priority DESC, created_at, id) WHERE status = 'pending' AND waits_for IS NULL;
      CREATE TABLE settings (
        name text PRIMARY KEY,
        value text NOT NULL,
        updated_at timestamptz NOT NULL DEFAULT now()
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP TABLE settings; ALTER TABLE jobs DROP COLUMN plan_after, DROP COLUMN turn');
  }
}
