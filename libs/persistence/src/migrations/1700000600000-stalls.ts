import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Work that stalled at one worker is for another one to try (S4-04). */
export class Stalls1700000600000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE spans ADD COLUMN avoid_worker text, ADD COLUMN avoid_until timestamptz');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE spans DROP COLUMN avoid_worker, DROP COLUMN avoid_until');
  }
}
