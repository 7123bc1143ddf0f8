import type { MigrationInterface, QueryRunner } from 'typeorm';

/** A span may read along with a source that has no index, and add others (docs/model.md). */
export class GrowingPlans1700000850000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE spans DROP CONSTRAINT spans_kind_check;
      ALTER TABLE spans ADD CONSTRAINT spans_kind_check
        CHECK (kind IN ('video', 'copy', 'audio', 'subtitles', 'index'));
      ALTER TABLE jobs DROP COLUMN plan_open;
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DELETE FROM spans WHERE kind = 'index';
      ALTER TABLE spans DROP CONSTRAINT spans_kind_check;
      ALTER TABLE spans ADD CONSTRAINT spans_kind_check CHECK (kind IN ('video', 'copy', 'audio', 'subtitles'));
      ALTER TABLE jobs ADD COLUMN plan_open boolean NOT NULL DEFAULT false;
    `);
  }
}
