import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Posters, storyboards and measured quality (S1-07): work beside and after the encode. */
export class Finishing1700000700000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE finishing_tasks (
        id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
        tenant_id text NOT NULL,
        job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        kind text NOT NULL CHECK (kind IN ('poster', 'storyboard', 'quality')),
        position integer NOT NULL DEFAULT 0,
        params jsonb NOT NULL DEFAULT '{}',
        status text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'running', 'done', 'failed')),
        attempts integer NOT NULL DEFAULT 0,
        unclean_deaths integer NOT NULL DEFAULT 0,
        lease_owner text,
        lease_number integer NOT NULL DEFAULT 0,
        lease_expires_at timestamptz,
        objects text[] NOT NULL DEFAULT '{}',
        result jsonb,
        error_code text,
        error_message text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (job_id, kind, position)
      );
      CREATE INDEX finishing_tasks_open ON finishing_tasks (status, lease_expires_at)
        WHERE status IN ('pending', 'running');
      ALTER TABLE jobs ADD COLUMN packaged_at timestamptz;
      ALTER TABLE renditions ADD COLUMN quality jsonb;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TABLE finishing_tasks;
      ALTER TABLE jobs DROP COLUMN packaged_at;
      ALTER TABLE renditions DROP COLUMN quality;
    `);
  }
}
