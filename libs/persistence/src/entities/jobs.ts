import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ErrorCode, JobStatus, Stage } from '#contracts';
import { Timestamps } from './timestamps.js';

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
  /** Of its renditions; a trigger counts it when the asset is published, and the tenant's with it. */
  @Column('bigint', { name: 'stored_bytes', default: 0 }) storedBytes: number;
  @Column('timestamptz', { name: 'deleting_since', nullable: true }) deletingSince: Date | null;
  /** Of the job that made it; its row may be gone. */
  @Column('jsonb', { nullable: true }) result: unknown;
  /** Its job has ended: since then the source, and what is there of a failed one, is only kept for another try. */
  @Column('timestamptz', { name: 'held_since', nullable: true }) heldSince: Date | null;
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
  /** Rounds from one of its spans to the next: its tenant's jobs share one span a round. */
  @Column('integer', { default: 1 }) stride: number;
  @Column('text', { name: 'error_code', nullable: true }) errorCode: ErrorCode | null;
  @Column('text', { name: 'error_message', nullable: true }) errorMessage: string | null;
  /** What the operator needs to know of a failure; never for the uploader. */
  @Column('jsonb', { name: 'error_detail', nullable: true }) errorDetail: Record<string, unknown> | null;
  @Column('jsonb', { nullable: true }) result: unknown;
  @Column('bigint', { name: 'last_seq', default: 0 }) lastSeq: number;
  @Column('timestamptz', { name: 'playable_at', nullable: true }) playableAt: Date | null;
  /** The finished playlists are stored; what is left of the job is its finishing tasks. */
  @Column('timestamptz', { name: 'packaged_at', nullable: true }) packagedAt: Date | null;
  @Column('timestamptz', { name: 'completed_at', nullable: true }) completedAt: Date | null;
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
  /** Of a durable fact among its tenant's, in the order of their commits; the database counts. Clients know it as the fact's id. */
  @Column('bigint', { nullable: true }) position: number | null;
  @Column('timestamptz', { name: 'created_at', default: () => 'now()' }) createdAt: Date;
}
