import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Tenants take turns (libs/work, line.ts and turns.ts): when each line, the waiting jobs of one tenant and
 * priority, was last served; how many rounds lie between two spans of a job; what a span has gained by waiting.
 * The line is read by its head, so that 200,000 waiting jobs cost no more than ten.
 */
export class Fairness1700002100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE tenant_turns (
        tenant_id text NOT NULL,
        priority smallint NOT NULL,
        served_at timestamptz NOT NULL,
        PRIMARY KEY (tenant_id, priority)
      );
      ALTER TABLE jobs ADD COLUMN stride integer NOT NULL DEFAULT 1;
      ALTER TABLE spans ADD COLUMN boost smallint NOT NULL DEFAULT 0;
      DROP INDEX jobs_turn;
      CREATE INDEX jobs_line ON jobs (tenant_id, priority, created_at, id)
        WHERE status = 'pending' AND waits_for IS NULL;
      CREATE INDEX jobs_planner ON jobs (plan_lease_expires_at)
        WHERE status = 'pending' AND plan_lease_expires_at IS NOT NULL;
      CREATE INDEX jobs_at_work ON jobs (priority, tenant_id) WHERE status = 'processing'
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX jobs_at_work;
      DROP INDEX jobs_planner;
      DROP INDEX jobs_line;
      CREATE INDEX jobs_turn ON jobs (priority DESC, created_at, id) WHERE status = 'pending' AND waits_for IS NULL;
      ALTER TABLE spans DROP COLUMN boost;
      ALTER TABLE jobs DROP COLUMN stride;
      DROP TABLE tenant_turns
    `);
  }
}
