import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What outlives a job's row, and what a failed one leaves to whoever tries it again: an asset knows its own
 * result, and since when its source is only kept; a job keeps why it failed in words for the operator.
 */
export class Jobs1700001700000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE assets ADD COLUMN result jsonb, ADD COLUMN held_since timestamptz;
      UPDATE assets SET held_since = now(), result = (SELECT result FROM jobs WHERE jobs.asset_id = assets.id
          AND jobs.status = 'completed' ORDER BY jobs.waits_for IS NOT NULL, jobs.created_at LIMIT 1)
        WHERE status = 'ready';
      CREATE INDEX assets_held ON assets (status, held_since) WHERE held_since IS NOT NULL;

      ALTER TABLE jobs ADD COLUMN error_detail jsonb;
      CREATE INDEX jobs_ended ON jobs (completed_at) WHERE status IN ('completed', 'failed');
      CREATE INDEX upload_sessions_ended ON upload_sessions (updated_at)
        WHERE status IN ('failed', 'cancelled', 'expired');
      CREATE INDEX spans_quarantined ON spans (updated_at) WHERE unclean_deaths >= 3;
      CREATE INDEX finishing_tasks_quarantined ON finishing_tasks (updated_at) WHERE unclean_deaths >= 3;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX finishing_tasks_quarantined, spans_quarantined, upload_sessions_ended, jobs_ended;
      ALTER TABLE jobs DROP COLUMN error_detail;
      ALTER TABLE assets DROP COLUMN held_since, DROP COLUMN result;
    `);
  }
}
