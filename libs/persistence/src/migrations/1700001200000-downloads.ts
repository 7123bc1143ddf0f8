import type { MigrationInterface, QueryRunner } from 'typeorm';

const kinds = (list: string) => `
  ALTER TABLE finishing_tasks DROP CONSTRAINT finishing_tasks_kind_check,
    ADD CONSTRAINT finishing_tasks_kind_check CHECK (kind IN (${list}))`;

/** A rendition as one MP4 is a finishing task of its own. */
export class Downloads1700001200000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(kinds(`'poster', 'storyboard', 'quality', 'download'`));
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DELETE FROM finishing_tasks WHERE kind = 'download'`);
    await runner.query(kinds(`'poster', 'storyboard', 'quality'`));
  }
}
