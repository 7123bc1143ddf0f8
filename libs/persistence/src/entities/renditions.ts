import { Column, Entity, PrimaryColumn } from 'typeorm';
import type { QualityScore, RenditionKind, RenditionName, TrackRole } from '#contracts';

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
