import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Durable facts of a tenant get a position, in the order in which they become visible: taken as the last
 * thing of the committing transaction, under the lock of the tenant's row, which is let go of after that.
 * So whoever has read up to a position has missed nothing below it, and "everything after it" is one
 * comparison. Deferred, because the same lock taken earlier could wait for a job's that waits for it.
 */
export class Positions1700001800000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE fact_positions (tenant_id text PRIMARY KEY, last bigint NOT NULL);
      ALTER TABLE progress_events ADD COLUMN position bigint;
      UPDATE progress_events e SET position = n.position FROM (
        SELECT job_id, seq, row_number() OVER (PARTITION BY tenant_id ORDER BY created_at, job_id, seq) AS position
        FROM progress_events WHERE durable) n
        WHERE e.job_id = n.job_id AND e.seq = n.seq;
      INSERT INTO fact_positions (tenant_id, last)
        SELECT tenant_id, max(position) FROM progress_events WHERE durable GROUP BY tenant_id;
      CREATE UNIQUE INDEX progress_events_position ON progress_events (tenant_id, position)
        WHERE position IS NOT NULL;
      CREATE FUNCTION number_fact() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
          WITH next AS (
            INSERT INTO fact_positions (tenant_id, last) VALUES (NEW.tenant_id, 1)
            ON CONFLICT (tenant_id) DO UPDATE SET last = fact_positions.last + 1 RETURNING last)
          UPDATE progress_events SET position = next.last FROM next
            WHERE job_id = NEW.job_id AND seq = NEW.seq;
          RETURN NULL;
        END $$;
      CREATE CONSTRAINT TRIGGER number_fact AFTER INSERT ON progress_events
        DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.durable) EXECUTE FUNCTION number_fact()
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER number_fact ON progress_events;
      DROP FUNCTION number_fact();
      DROP INDEX progress_events_position;
      ALTER TABLE progress_events DROP COLUMN position;
      DROP TABLE fact_positions
    `);
  }
}
