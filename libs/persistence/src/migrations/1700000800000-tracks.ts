import type { MigrationInterface, QueryRunner } from 'typeorm';

/** All audio tracks and tracks of text: what they are called, and spans that may be given up alone. */
export class Tracks1700000800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE renditions ADD COLUMN title text, ADD COLUMN role text,
        ADD COLUMN is_default boolean NOT NULL DEFAULT false;
      ALTER TABLE renditions DROP CONSTRAINT renditions_kind_check;
      ALTER TABLE renditions ADD CONSTRAINT renditions_kind_check CHECK (kind IN ('video', 'audio', 'subtitles'));
      ALTER TABLE spans DROP CONSTRAINT spans_kind_check;
      ALTER TABLE spans ADD CONSTRAINT spans_kind_check CHECK (kind IN ('video', 'copy', 'audio', 'subtitles'));
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DELETE FROM renditions WHERE kind = 'subtitles';
      DELETE FROM spans WHERE kind = 'subtitles';
      ALTER TABLE spans DROP CONSTRAINT spans_kind_check;
      ALTER TABLE spans ADD CONSTRAINT spans_kind_check CHECK (kind IN ('video', 'copy', 'audio'));
      ALTER TABLE renditions DROP CONSTRAINT renditions_kind_check;
      ALTER TABLE renditions ADD CONSTRAINT renditions_kind_check CHECK (kind IN ('video', 'audio'));
      ALTER TABLE renditions DROP COLUMN title, DROP COLUMN role, DROP COLUMN is_default;
    `);
  }
}
