import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The newest jobs of a tenant that wait, however many have ended. By a column that does not change: one over
 * `updated_at` would be written with every piece of progress.
 */
export class NewestOpen1700002200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      "CREATE INDEX jobs_newest_pending ON jobs (tenant_id, created_at DESC) WHERE status = 'pending'",
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX jobs_newest_pending');
  }
}
