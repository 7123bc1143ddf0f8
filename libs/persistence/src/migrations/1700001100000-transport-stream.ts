import type { MigrationInterface, QueryRunner } from 'typeorm';

/** Segments as MPEG-TS beside CMAF (S0-11): one row, two objects. */
export class TransportStream1700001100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      -- NULL: nobody asked for it; false: asked for, and its codec cannot
      ALTER TABLE renditions ADD COLUMN ts boolean;
      ALTER TABLE segments ADD COLUMN ts_path text, ADD COLUMN ts_size bigint
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('ALTER TABLE segments DROP COLUMN ts_path, DROP COLUMN ts_size');
    await runner.query('ALTER TABLE renditions DROP COLUMN ts');
  }
}
