import { Column, Entity, PrimaryColumn } from 'typeorm';
import type {
  ErrorCode,
  FinishingKind,
  JobStatus,
  QualityScore,
  RenditionKind,
  RenditionName,
  SessionStatus,
  Stage,
  TrackRole,
} from '#contracts';

/**
 * Rows as TypeScript sees them; the DDL is in migrations/, the state machines in docs/model.md.
 * BIGINT arrives as a number (data-source.ts): sizes stay below 2^53.
 */
abstract class Timestamps {
  @Column({ type: 'timestamptz', name: 'created_at', default: () => 'now()' }) createdAt: Date;
  @Column({ type: 'timestamptz', name: 'updated_at', default: () => 'now()' }) updatedAt: Date;
}

export type AssetStatus = 'provisional' | 'ready' | 'failed' | 'deleting' | 'deleted';

@Entity('assets')
export class Asset extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  /** `profileKey` of the contracts. */
  @Column('text') profile: string;
  @Column('char', { length: 64, nullable: true }) sha256: string | null;
  @Column('bigint', { nullable: true }) size: number | null;
  /** SHA-256 of the first MiB followed by the last; of the file when it has no more than two. */
  @Column('char', { name: 'edges_sha256', length: 64, nullable: true }) edgesSha256: string | null;
  @Column('text', { default: 'provisional' }) status: AssetStatus;
  @Column('integer', { default: 1 }) refs: number;
  @Column('timestamptz', { name: 'deleting_since', nullable: true }) deletingSince: Date | null;
}

@Entity('jobs')
export class Job extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'asset_id' }) assetId: string;
  @Column('text', { nullable: true }) key: string | null;
  @Column('text', { nullable: true }) bucket: string | null;
  @Column('text', { default: 'pending' }) status: JobStatus;
  @Column('text', { default: 'uploading' }) stage: Stage;
  @Column('smallint', { default: 0 }) progress: number;
  @Column('smallint', { default: 5 }) priority: number;
  @Column('text', { name: 'workflow_id', nullable: true }) workflowId: string | null;
  /** Every byte of the source is confirmed. */
  @Column('boolean', { name: 'source_complete', default: false }) sourceComplete: boolean;
  /** The job whose work this one shares: it waits for its end, and is never planned. */
  @Column('uuid', { name: 'waits_for', nullable: true }) waitsFor: string | null;
  /** `pending`: no verdict yet, nothing of it is shown. */
  @Column('text', { default: 'off' }) scan: 'off' | 'pending' | 'clean' | 'refused';
  @Column('timestamptz', { name: 'scan_since', nullable: true }) scanSince: Date | null;
  @Column('jsonb', { nullable: true }) plan: unknown;
  @Column('integer', { name: 'plan_lease', default: 0 }) planLease: number;
  @Column('timestamptz', { name: 'plan_lease_expires_at', nullable: true }) planLeaseExpiresAt: Date | null;
  /** Bytes of the source that planning waits for. */
  @Column('bigint', { name: 'plan_from', default: 0 }) planFrom: number;
  @Column('bigint', { name: 'plan_to', default: 1 }) planTo: number;
  /** Why the source's own pictures are not served, found after they had been planned to be. */
  @Column('text', { name: 'copy_denied', nullable: true }) copyDenied: string | null;
  /** Encoders that no process has, or that failed on it; the plan is made without them. */
  @Column('text', { name: 'encoders_denied', array: true, default: [] }) encodersDenied: string[];
  /** Planning failed and is not tried before; others go first meanwhile. */
  @Column('timestamptz', { name: 'plan_after', nullable: true }) planAfter: Date | null;
  /** How far it was in the last minute (libs/work, pace.ts). */
  @Column('jsonb', { default: [] }) pace: unknown;
  /** The round in which its first span stands in the line of its priority. */
  @Column('integer', { default: 0 }) turn: number;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  @Column('jsonb', { nullable: true }) result: unknown;
  @Column('bigint', { name: 'last_seq', default: 0 }) lastSeq: number;
  @Column('timestamptz', { name: 'playable_at', nullable: true }) playableAt: Date | null;
  /** The finished playlists are stored; what is left of the job is its finishing tasks. */
  @Column('timestamptz', { name: 'packaged_at', nullable: true }) packagedAt: Date | null;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
}

@Entity('upload_sessions')
export class UploadSession extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'job_id', nullable: true }) jobId: string | null;
  @Column('uuid', { name: 'asset_id', nullable: true }) assetId: string | null;
  @Column('text') filename: string;
  @Column('text', { name: 'content_type', nullable: true }) contentType: string | null;
  /** Bytes; null while the client has not said it (multipart chunks). */
  @Column('bigint', { name: 'file_size', nullable: true }) fileSize: number | null;
  /** SHA-256 that the client promised. */
  @Column('char', { name: 'file_hash', length: 64, nullable: true }) fileHash: string | null;
  /** SHA-256 that we computed. */
  @Column('char', { length: 64, nullable: true }) sha256: string | null;
  @Column('integer', { name: 'total_chunks', nullable: true }) totalChunks: number | null;
  @Column('bigint', { name: 'chunk_size', nullable: true }) chunkSize: number | null;
  @Column('integer', { name: 'chunks_received', default: 0 }) chunksReceived: number;
  @Column('bigint', { name: 'bytes_received', default: 0 }) bytesReceived: number;
  @Column('text', { default: 'active' }) status: SessionStatus;
  @Column('text', { name: 'user_id', nullable: true }) userId: string | null;
  @Column('text', { name: 'user_name', nullable: true }) userName: string | null;
  @Column('text', { default: 'default' }) profile: string;
  @Column('jsonb', { default: {} }) options: Record<string, unknown>;
  @Column('smallint', { default: 5 }) priority: number;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
  @Column('timestamptz', { name: 'expires_at' }) expiresAt: Date;
  /** The fencing number of the tus request that writes, or wrote last. */
  @Column('integer', { default: 0 }) writer: number;
  @Column('boolean', { default: false }) writing: boolean;
  /** `Upload-Metadata` and `Upload-Concat` as the client sent them; null for the other doors. */
  @Column('text', { name: 'tus_metadata', nullable: true }) tusMetadata: string | null;
  @Column('text', { name: 'tus_concat', nullable: true }) tusConcat: string | null;
  /** The final upload that took the chunks of this partial one. */
  @Column('uuid', { name: 'final_id', nullable: true }) finalId: string | null;
  @Column('uuid', { name: 'batch_id', nullable: true }) batchId: string | null;
  /** The process that computes the SHA-256, and until when. */
  @Column('text', { name: 'digest_owner', nullable: true }) digestOwner: string | null;
  @Column('timestamptz', { name: 'digest_until', nullable: true }) digestUntil: Date | null;
}

@Entity('upload_batches')
export class UploadBatch extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('text', { nullable: true }) name: string | null;
  @Column('timestamptz', { name: 'cancelled_at', nullable: true }) cancelledAt: Date | null;
}

@Entity('upload_chunks')
export class UploadChunk {
  @PrimaryColumn('uuid', { name: 'session_id' }) sessionId: string;
  @PrimaryColumn('bigint', { name: 'byte_offset' }) offset: number;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('integer', { name: 'chunk_index', nullable: true }) chunkIndex: number | null;
  @Column('bigint') size: number;
  @Column('char', { length: 64 }) hash: string;
  @Column('text', { name: 'storage_path' }) storagePath: string;
  @Column('boolean', { default: true }) received: boolean;
  @Column('boolean', { default: true }) verified: boolean;
  @Column('timestamptz', { name: 'received_at', default: () => 'now()' }) receivedAt: Date;
  @Column('timestamptz', { name: 'verified_at', nullable: true, default: () => 'now()' })
  verifiedAt: Date | null;
}

@Entity('renditions')
export class Rendition {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'job_id' }) jobId: string;
  @Column('uuid', { name: 'asset_id' }) assetId: string;
  @Column('text') name: RenditionName;
  @Column('text') kind: RenditionKind;
  @Column('text') mode: 'encode' | 'copy';
  /** 0 is the top rung; audio comes after the pictures, text last. */
  @Column('smallint') position: number;
  /** Member of the start set: the early multivariant appears when each of these has a segment. */
  @Column('boolean', { name: 'in_start_set', default: false }) inStartSet: boolean;
  @Column('integer', { nullable: true }) width: number | null;
  @Column('integer', { nullable: true }) height: number | null;
  @Column('integer', { name: 'fps_num', nullable: true }) fpsNum: number | null;
  @Column('integer', { name: 'fps_den', nullable: true }) fpsDen: number | null;
  /** Ticks per second of `segments.start_ticks` and `duration_ticks`. */
  @Column('integer') timescale: number;
  /** Bits per second that a segment stays below; BANDWIDTH of the early multivariant. */
  @Column('integer', { name: 'max_bitrate' }) maxBitrate: number;
  /** Whole seconds, EXT-X-TARGETDURATION, fixed by the plan. */
  @Column('integer', { name: 'target_duration' }) targetDuration: number;
  /** BCP 47, audio and text. */
  @Column('text', { nullable: true }) language: string | null;
  /** What the source calls the track. */
  @Column('text', { nullable: true }) title: string | null;
  @Column('text', { nullable: true }) role: TrackRole | null;
  /** Played when nobody chooses. */
  @Column('boolean', { name: 'is_default', default: false }) isDefault: boolean;
  @Column('smallint', { nullable: true }) channels: number | null;
  /** RFC 6381, from the stored init segment; null until it is stored. */
  @Column('text', { nullable: true }) codecs: string | null;
  @Column('text', { name: 'init_key', nullable: true }) initKey: string | null;
  @Column('char', { name: 'init_sha256', length: 64, nullable: true }) initSha256: string | null;
  @Column('integer', { name: 'init_size', nullable: true }) initSize: number | null;
  @Column('char', { length: 64, nullable: true }) encoder: string | null;
  /** Null while the end of the source is not known. */
  @Column('integer', { name: 'segments_total', nullable: true }) segmentsTotal: number | null;
  /** Each segment is stored as MPEG-TS, too; false: asked for, and its codec cannot; null: not asked for. */
  @Column('boolean', { nullable: true }) ts: boolean | null;
  @Column('integer', { name: 'segments_completed', default: 0 }) segmentsCompleted: number;
  /** Of media, in its stored segments. */
  @Column('double precision', { name: 'seconds_completed', default: 0 }) secondsCompleted: number;
  @Column('bigint', { default: 0 }) bytes: number;
  /** Measured (S1-07), with the job's end; null where it was not. */
  @Column('jsonb', { nullable: true }) quality: QualityScore | null;
  @Column('timestamptz', { name: 'progress_sent_at', nullable: true }) progressSentAt: Date | null;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
}

export type SpanKind = 'video' | 'copy' | 'audio' | 'subtitles' | 'index';
export type SpanStatus = 'pending' | 'running' | 'done' | 'failed' | 'cancelled';

@Entity('spans')
export class Span extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'job_id' }) jobId: string;
  @Column('text') kind: SpanKind;
  @Column('integer') position: number;
  @Column('text', { array: true }) renditions: RenditionName[];
  @Column('integer', { name: 'first_segment' }) firstSegment: number;
  /** Null: until the source ends. */
  @Column('integer', { name: 'segment_count', nullable: true }) segmentCount: number | null;
  @Column('jsonb') params: Record<string, unknown>;
  @Column('text', { default: 'pending' }) status: SpanStatus;
  /** The bytes that it needs are confirmed. */
  @Column('boolean', { default: false }) released: boolean;
  /** Those bytes; null: all of the source. */
  @Column('bigint', { name: 'bytes_from', nullable: true }) bytesFrom: number | null;
  @Column('bigint', { name: 'bytes_to', nullable: true }) bytesTo: number | null;
  @Column('integer', { default: 0 }) attempts: number;
  @Column('integer', { name: 'unclean_deaths', default: 0 }) uncleanDeaths: number;
  @Column('text', { name: 'lease_owner', nullable: true }) leaseOwner: string | null;
  /** Fencing token: grows by one with every claim; a write with an older number is refused. */
  @Column('integer', { name: 'lease_number', default: 0 }) leaseNumber: number;
  @Column('timestamptz', { name: 'lease_expires_at', nullable: true }) leaseExpiresAt: Date | null;
  /** Where it stalled: this worker leaves it to another one until then. */
  @Column('text', { name: 'avoid_worker', nullable: true }) avoidWorker: string | null;
  @Column('timestamptz', { name: 'avoid_until', nullable: true }) avoidUntil: Date | null;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
}

/** A piece of work beside or after the encode, leased like a span; `failed` is no failure of its job. */
@Entity('finishing_tasks')
export class FinishingTask extends Timestamps {
  @PrimaryColumn('uuid') id: string;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'job_id' }) jobId: string;
  @Column('text') kind: FinishingKind;
  @Column('integer', { default: 0 }) position: number;
  @Column('jsonb', { default: {} }) params: Record<string, unknown>;
  @Column('text', { default: 'pending' }) status: 'pending' | 'running' | 'done' | 'failed';
  @Column('integer', { default: 0 }) attempts: number;
  @Column('integer', { name: 'unclean_deaths', default: 0 }) uncleanDeaths: number;
  @Column('text', { name: 'lease_owner', nullable: true }) leaseOwner: string | null;
  @Column('integer', { name: 'lease_number', default: 0 }) leaseNumber: number;
  @Column('timestamptz', { name: 'lease_expires_at', nullable: true }) leaseExpiresAt: Date | null;
  /** Keys of what it has stored. */
  @Column('text', { array: true, default: [] }) objects: string[];
  @Column('jsonb', { nullable: true }) result: Record<string, unknown> | null;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
}

/** A row means: this segment is stored, whole and verified. */
@Entity('segments')
export class Segment {
  @PrimaryColumn('uuid', { name: 'rendition_id' }) renditionId: string;
  @PrimaryColumn('integer', { name: 'segment_index' }) index: number;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'job_id' }) jobId: string;
  @Column('uuid', { name: 'span_id' }) spanId: string;
  @Column('integer', { name: 'lease_number' }) leaseNumber: number;
  @Column('bigint', { name: 'start_ticks' }) startTicks: number;
  @Column('bigint', { name: 'duration_ticks' }) durationTicks: number;
  @Column('bigint') size: number;
  @Column('char', { length: 64 }) sha256: string;
  @Column('text', { name: 'storage_path' }) storagePath: string;
  @Column('timestamptz', { name: 'stored_at', default: () => 'now()' }) storedAt: Date;
}

@Entity('progress_events')
export class ProgressEvent {
  @PrimaryColumn('uuid', { name: 'job_id' }) jobId: string;
  @PrimaryColumn('bigint') seq: number;
  @Column('text', { name: 'tenant_id' }) tenantId: string;
  @Column('uuid', { name: 'session_id', nullable: true }) sessionId: string | null;
  @Column('text') type: string;
  @Column('boolean') durable: boolean;
  @Column('text', { nullable: true }) stage: Stage | null;
  @Column('smallint', { nullable: true }) progress: number | null;
  @Column('text', { nullable: true }) message: string | null;
  @Column('jsonb') payload: Record<string, unknown>;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
}

@Entity('workers')
export class WorkerRow {
  @PrimaryColumn('text') id: string;
  @Column('text') service: string;
  /** `http://host:port` at which other services reach this process. */
  @Column('text') address: string;
  /** Those that it may have: ffmpeg lists them, and no trial has failed. Null: of an older version. */
  @Column('text', { array: true, nullable: true }) encoders: string[] | null;
  @Column('timestamptz', { name: 'started_at', default: () => 'now()' }) startedAt: Date;
  @Column('timestamptz', { name: 'heartbeat_at', default: () => 'now()' }) heartbeatAt: Date;
}

export const ENTITIES = [
  Asset,
  Job,
  UploadSession,
  UploadBatch,
  UploadChunk,
  Rendition,
  Span,
  FinishingTask,
  Segment,
  ProgressEvent,
  WorkerRow,
];
