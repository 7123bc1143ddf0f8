import type { MigrationInterface, QueryRunner } from 'typeorm';

/** The tables of docs/model.md. Sizes are BIGINT (S3-10), `tenant_id` is everywhere. */
export class Initial1700000000000 implements MigrationInterface {
  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE assets (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        profile text NOT NULL,
        sha256 char(64),
        size bigint,
        status text NOT NULL DEFAULT 'provisional'
          CHECK (status IN ('provisional', 'ready', 'failed', 'deleting', 'deleted')),
        refs integer NOT NULL DEFAULT 1 CHECK (refs >= 0),
        deleting_since timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now()
      );
      CREATE UNIQUE INDEX assets_published ON assets (tenant_id, sha256, profile) WHERE status = 'ready';
      CREATE INDEX assets_deleting ON assets (deleting_since) WHERE status = 'deleting';

      CREATE TABLE jobs (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        asset_id uuid NOT NULL REFERENCES assets (id),
        key text,
        bucket text,
        status text NOT NULL DEFAULT 'pending'
          CHECK (status IN ('pending', 'processing', 'completed', 'failed')),
        stage text NOT NULL DEFAULT 'uploading'
          CHECK (stage IN ('uploading', 'transcoding', 'validation', 'packaging', 'storage', 'completed')),
        progress smallint NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 100),
        priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
        workflow_id text,
        source_complete boolean NOT NULL DEFAULT false,
        plan jsonb,
        plan_lease integer NOT NULL DEFAULT 0,
        plan_lease_expires_at timestamptz,
        error_code text,
        error_message text,
        result jsonb,
        last_seq bigint NOT NULL DEFAULT 0,
        playable_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        completed_at timestamptz
      );
      CREATE INDEX jobs_open ON jobs (status) WHERE status IN ('pending', 'processing');
      CREATE INDEX jobs_tenant_created ON jobs (tenant_id, created_at DESC);
      CREATE INDEX jobs_asset ON jobs (asset_id);

      CREATE TABLE upload_sessions (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        job_id uuid REFERENCES jobs (id) ON DELETE SET NULL,
        asset_id uuid REFERENCES assets (id),
        filename text NOT NULL,
        content_type text,
        file_size bigint CHECK (file_size >= 0),
        file_hash char(64),
        sha256 char(64),
        total_chunks integer,
        chunk_size bigint,
        chunks_received integer NOT NULL DEFAULT 0,
        bytes_received bigint NOT NULL DEFAULT 0,
        status text NOT NULL DEFAULT 'active'
          CHECK (status IN ('active', 'completed', 'failed', 'cancelled', 'expired')),
        user_id text,
        user_name text,
        profile text NOT NULL DEFAULT 'default',
        options jsonb NOT NULL DEFAULT '{}',
        priority smallint NOT NULL DEFAULT 5 CHECK (priority BETWEEN 1 AND 10),
        error_code text,
        error_message text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        completed_at timestamptz,
        expires_at timestamptz NOT NULL
      );
      CREATE INDEX upload_sessions_expiry ON upload_sessions (expires_at) WHERE status = 'active';
      CREATE INDEX upload_sessions_job ON upload_sessions (job_id);
      CREATE INDEX upload_sessions_asset ON upload_sessions (asset_id);

      CREATE TABLE upload_chunks (
        session_id uuid NOT NULL REFERENCES upload_sessions (id) ON DELETE CASCADE,
        byte_offset bigint NOT NULL CHECK (byte_offset >= 0),
        tenant_id text NOT NULL,
        chunk_index integer,
        size bigint NOT NULL CHECK (size > 0),
        hash char(64) NOT NULL,
        storage_path text NOT NULL,
        received boolean NOT NULL DEFAULT true,
        verified boolean NOT NULL DEFAULT true,
        received_at timestamptz NOT NULL DEFAULT now(),
        verified_at timestamptz DEFAULT now(),
        PRIMARY KEY (session_id, byte_offset)
      );
      CREATE UNIQUE INDEX upload_chunks_index ON upload_chunks (session_id, chunk_index)
        WHERE chunk_index IS NOT NULL;

      CREATE TABLE renditions (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        asset_id uuid NOT NULL REFERENCES assets (id),
        name text NOT NULL,
        kind text NOT NULL CHECK (kind IN ('video', 'audio')),
        mode text NOT NULL CHECK (mode IN ('encode', 'copy')),
        position smallint NOT NULL,
        in_start_set boolean NOT NULL DEFAULT false,
        width integer,
        height integer,
        fps_num integer,
        fps_den integer,
        timescale integer NOT NULL,
        max_bitrate integer NOT NULL,
        target_duration integer NOT NULL,
        language text,
        channels smallint,
        codecs text,
        init_key text,
        init_sha256 char(64),
        init_size integer,
        encoder char(64),
        segments_total integer,
        segments_completed integer NOT NULL DEFAULT 0,
        bytes bigint NOT NULL DEFAULT 0,
        progress_sent_at timestamptz,
        completed_at timestamptz,
        created_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (job_id, name)
      );
      CREATE INDEX renditions_asset ON renditions (asset_id);

      CREATE TABLE spans (
        id uuid PRIMARY KEY,
        tenant_id text NOT NULL,
        job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        kind text NOT NULL CHECK (kind IN ('video', 'copy', 'audio')),
        position integer NOT NULL,
        renditions text[] NOT NULL,
        first_segment integer NOT NULL,
        segment_count integer,
        params jsonb NOT NULL,
        status text NOT NULL DEFAULT 'pending'
          CHECK (status IN ('pending', 'running', 'done', 'failed', 'cancelled')),
        attempts integer NOT NULL DEFAULT 0,
        unclean_deaths integer NOT NULL DEFAULT 0,
        lease_owner text,
        lease_number integer NOT NULL DEFAULT 0,
        lease_expires_at timestamptz,
        error_code text,
        error_message text,
        created_at timestamptz NOT NULL DEFAULT now(),
        updated_at timestamptz NOT NULL DEFAULT now(),
        UNIQUE (job_id, kind, position)
      );
      CREATE INDEX spans_open ON spans (status, lease_expires_at) WHERE status IN ('pending', 'running');

      CREATE TABLE segments (
        rendition_id uuid NOT NULL REFERENCES renditions (id) ON DELETE CASCADE,
        segment_index integer NOT NULL CHECK (segment_index >= 0),
        tenant_id text NOT NULL,
        job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        span_id uuid NOT NULL,
        lease_number integer NOT NULL,
        start_ticks bigint NOT NULL,
        duration_ticks bigint NOT NULL CHECK (duration_ticks > 0),
        size bigint NOT NULL CHECK (size > 0),
        sha256 char(64) NOT NULL,
        storage_path text NOT NULL,
        stored_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (rendition_id, segment_index)
      );
      CREATE INDEX segments_job ON segments (job_id);

      CREATE TABLE progress_events (
        job_id uuid NOT NULL REFERENCES jobs (id) ON DELETE CASCADE,
        seq bigint NOT NULL,
        tenant_id text NOT NULL,
        session_id uuid,
        type text NOT NULL,
        durable boolean NOT NULL,
        stage text,
        progress smallint,
        message text,
        payload jsonb NOT NULL,
        created_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (job_id, seq)
      );

      CREATE TABLE workers (
        id text PRIMARY KEY,
        service text NOT NULL,
        address text NOT NULL,
        started_at timestamptz NOT NULL DEFAULT now(),
        heartbeat_at timestamptz NOT NULL DEFAULT now()
      );
    `);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(
      'DROP TABLE workers, progress_events, segments, spans, renditions, upload_chunks, upload_sessions, jobs, assets',
    );
  }
}
