import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * How far the renditions of a job were, and its upload, in the last minute: speed and what is left are
 * computed from it (libs/work, pace.ts). Segments of a copied source differ in length, so seconds are counted.
 */
export class Pace1700001400000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs ADD COLUMN pace jsonb NOT NULL DEFAULT '[]';
      ALTER TABLE renditions ADD COLUMN seconds_completed double precision NOT NULL DEFAULT 0;
      UPDATE renditions SET seconds_completed = (SELECT COALESCE(sum(duration_ticks), 0) FROM segments
          WHERE rendition_id = renditions.id) / timescale::double precision
        FROM jobs WHERE jobs.id = renditions.job_id AND jobs.status = 'processing'
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE jobs DROP COLUMN pace;
      ALTER TABLE renditions DROP COLUMN seconds_completed
    `);
  }
}
