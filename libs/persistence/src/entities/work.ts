import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { ErrorCode, FinishingKind, RenditionName } from '#contracts';
import { Timestamps } from './timestamps.js';

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
  /** Steps of priority that it has gained by waiting. */
  @Column('smallint', { default: 0 }) boost: number;
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
