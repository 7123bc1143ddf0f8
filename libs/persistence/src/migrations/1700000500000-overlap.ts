import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Work on a source that is still arriving: which bytes planning and each span wait for (docs/model.md). */
export class Overlap1700000500000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs
        ADD COLUMN plan_from bigint NOT NULL DEFAULT 0,
        ADD COLUMN plan_to bigint NOT NULL DEFAULT 1,
        ADD COLUMN plan_open boolean NOT NULL DEFAULT false,
        ADD COLUMN copy_denied text;
      ALTER TABLE spans
        ADD COLUMN released boolean NOT NULL DEFAULT true,
        ADD COLUMN bytes_from bigint,
        ADD COLUMN bytes_to bigint;
      ALTER TABLE spans ALTER COLUMN released SET DEFAULT false;
      CREATE INDEX spans_unreleased ON spans (job_id) WHERE NOT released;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE spans DROP COLUMN released, DROP COLUMN bytes_from, DROP COLUMN bytes_to;
      ALTER TABLE jobs DROP COLUMN plan_from, DROP COLUMN plan_to, DROP COLUMN plan_open, DROP COLUMN copy_denied;
    `);
  }
}
