import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Which encoders a process has, and which ones a job is no longer encoded with (docs/model.md, Encoders). */
export class Encoders1700001300000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE workers ADD COLUMN encoders text[];
      ALTER TABLE jobs ADD COLUMN encoders_denied text[] NOT NULL DEFAULT '{}';
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE workers DROP COLUMN encoders;
      ALTER TABLE jobs DROP COLUMN encoders_denied;
    `);
  }
}
