import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * The tus door: who writes an upload now (`writer` fences, `writing` says whether anybody does), what
 * the client said in its headers, and which final upload took the chunks of a partial one. Chunk rows
 * may then name objects of another session, so objects are looked up by their key.
 */
export class Tus1700000100000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      ALTER TABLE upload_sessions
        ADD COLUMN writer integer NOT NULL DEFAULT 0,
        ADD COLUMN writing boolean NOT NULL DEFAULT false,
        ADD COLUMN tus_metadata text,
        ADD COLUMN tus_concat text,
        ADD COLUMN final_id uuid REFERENCES upload_sessions (id) ON DELETE SET NULL;
      CREATE INDEX upload_sessions_final ON upload_sessions (final_id) WHERE final_id IS NOT NULL;
      CREATE INDEX upload_chunks_object ON upload_chunks USING hash (storage_path);
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP INDEX upload_chunks_object;
      ALTER TABLE upload_sessions DROP COLUMN writer, DROP COLUMN writing, DROP COLUMN tus_metadata,
        DROP COLUMN tus_concat, DROP COLUMN final_id;
    `);
  }
}
