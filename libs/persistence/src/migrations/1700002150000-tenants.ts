import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * What a tenant may have, and what it has. Triggers count, in the transaction that publishes or removes an asset
 * or ends a job, so that whoever does it counts the same, processes of an older version too.
 */
export class Tenants1700002150000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE tenants (
        id text PRIMARY KEY,
        name text,
        bytes_stored bigint,
        minutes_per_month integer,
        open_sessions integer,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE TABLE tenant_usage (
        tenant_id text PRIMARY KEY,
        bytes_stored bigint NOT NULL DEFAULT 0
      );
      CREATE TABLE tenant_months (
        tenant_id text NOT NULL,
        month date NOT NULL,
        seconds_encoded double precision NOT NULL DEFAULT 0,
        PRIMARY KEY (tenant_id, month)
      );
      CREATE INDEX upload_sessions_open ON upload_sessions (tenant_id) WHERE status = 'active';

      ALTER TABLE assets ADD COLUMN stored_bytes bigint NOT NULL DEFAULT 0;
      UPDATE assets SET stored_bytes = (SELECT COALESCE(sum(bytes), 0) FROM renditions WHERE asset_id = assets.id)
        WHERE status = 'ready';
      INSERT INTO tenant_usage (tenant_id, bytes_stored)
        SELECT tenant_id, sum(stored_bytes) FROM assets GROUP BY tenant_id HAVING sum(stored_bytes) > 0;

      CREATE FUNCTION count_asset_bytes() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE more bigint;
      BEGIN
        IF TG_OP = 'DELETE' THEN
          more := -OLD.stored_bytes;
        ELSE
          IF NEW.status = 'ready' AND OLD.status <> 'ready' THEN
            NEW.stored_bytes := (SELECT COALESCE(sum(bytes), 0) FROM renditions WHERE asset_id = NEW.id);
          ELSIF NEW.status = 'deleted' THEN
            NEW.stored_bytes := 0;
          END IF;
          more := NEW.stored_bytes - OLD.stored_bytes;
        END IF;
        IF more <> 0 THEN
          INSERT INTO tenant_usage AS u (tenant_id, bytes_stored) VALUES (OLD.tenant_id, GREATEST(0, more))
            ON CONFLICT (tenant_id) DO UPDATE SET bytes_stored = GREATEST(0, u.bytes_stored + more);
        END IF;
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
      END $$;
      CREATE TRIGGER assets_count_bytes BEFORE UPDATE OF status OR DELETE ON assets
        FOR EACH ROW EXECUTE FUNCTION count_asset_bytes();

      CREATE FUNCTION count_job_minutes() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE seconds double precision;
      BEGIN
        seconds := (SELECT max(seconds_completed) FROM renditions WHERE job_id = NEW.id);
        IF seconds > 0 THEN
          INSERT INTO tenant_months AS m (tenant_id, month, seconds_encoded)
            VALUES (NEW.tenant_id, date_trunc('month', now() AT TIME ZONE 'UTC')::date, seconds)
            ON CONFLICT (tenant_id, month) DO UPDATE SET seconds_encoded = m.seconds_encoded + seconds;
        END IF;
        RETURN NULL;
      END $$;
      CREATE TRIGGER jobs_count_minutes AFTER UPDATE OF status ON jobs FOR EACH ROW
        WHEN (NEW.status = 'completed' AND OLD.status = 'processing') EXECUTE FUNCTION count_job_minutes()
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`
      DROP TRIGGER jobs_count_minutes ON jobs;
      DROP TRIGGER assets_count_bytes ON assets;
      DROP FUNCTION count_job_minutes();
      DROP FUNCTION count_asset_bytes();
      ALTER TABLE assets DROP COLUMN stored_bytes;
      DROP INDEX upload_sessions_open;
      DROP TABLE tenant_months;
      DROP TABLE tenant_usage;
      DROP TABLE tenants
    `);
  }
}
