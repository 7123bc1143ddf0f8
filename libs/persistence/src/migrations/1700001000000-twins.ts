import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Who else sends, or has sent, a file of this size (docs/model.md, Dedup): asked for with each chunk. */
export class Twins1700001000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE INDEX upload_sessions_size ON upload_sessions (file_size) WHERE status IN ('active', 'completed')
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('DROP INDEX upload_sessions_size');
  }
}
