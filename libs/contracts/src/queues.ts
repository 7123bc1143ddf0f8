import 'reflect-metadata';
import { Type } from 'class-transformer';
import {
  IsArray,
  IsIn,
  IsInt,
  IsOptional,
  IsString,
  IsUUID,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';
import { RENDITION_NAMES, type RenditionName } from './media.js';

/**
 * The one catalogue of queues: name → payload. Producer, consumer and validation derive from it.
 * Job ids are fixed (`jobId`), so that adding twice is adding once; BullMQ ids may not contain `:`.
 * Payloads hold ids only: no URLs, no secrets (job data is plain text in Redis).
 */
export class PlanPayload {
  @IsUUID() jobId: string;
}

/** Spans (all encoded rungs, one decode) and followers (a copied rung, an audio track) are rows of `spans`. */
export class SpanPayload {
  @IsUUID() jobId: string;
  @IsUUID() spanId: string;
}

/** The MPEG-TS of a segment, beside it in the scratch. */
export class TsPayload {
  @Matches(/^[0-9a-f]{64}$/) sha256: string;
  @IsInt() @Min(1) size: number;
}

/** One finished segment (or init segment: `index` −1) that waits in a worker's scratch. */
export class SegmentPayload {
  @IsUUID() jobId: string;
  @IsUUID() spanId: string;
  @IsInt() @Min(1) lease: number;
  /** Row of `workers`: its address is where the segment is fetched. */
  @IsString() @Matches(/^[A-Za-z0-9_-]{1,64}$/) workerId: string;
  @IsIn(RENDITION_NAMES) rendition: RenditionName;
  @IsInt() @Min(-1) @Max(100_000) index: number;
  @Matches(/^[0-9a-f]{64}$/) sha256: string;
  @IsInt() @Min(1) size: number;
  /** In ticks of the rendition's timescale; 0 for an init segment. */
  @IsInt() @Min(0) start: number;
  @IsInt() @Min(0) duration: number;
  /** Where the rendition's segments are wanted as MPEG-TS, too. */
  @IsOptional() @ValidateNested() @Type(() => TsPayload) ts?: TsPayload;
  /** For an init segment: RFC 6381 codecs string, e.g. `avc1.64001f`. */
  @IsOptional() @IsString() @Matches(/^[A-Za-z0-9.]{1,64}$/) codecs?: string;
  /** For an init segment: which encoder with which parameters made it. */
  @IsOptional() @IsString() @Matches(/^[0-9a-f]{64}$/) encoder?: string;
}

/** All segments are stored: write the VOD playlists and the MPD, complete the job. */
export class PackagePayload {
  @IsUUID() jobId: string;
}

/** A row of `finishing_tasks`: a poster, a storyboard, a comparison with the source. */
export class FinishingPayload {
  @IsUUID() jobId: string;
  @IsUUID() taskId: string;
}

/** Ask the virus scanner about a complete source. */
export class ScanPayload {
  @IsUUID() jobId: string;
}

/** Remove what a cancelled, failed or expired session or asset left: objects, then rows. */
export class CleanupPayload {
  @IsUUID() assetId: string;
  @IsOptional() @IsArray() @IsUUID('all', { each: true }) sessionIds?: string[];
}

export const SWEEP_PARTS = ['sessions', 'objects', 'retention'] as const;

/** Find what dead processes and absent clients left of uploads: rows by a schedule, objects now and then; and what was kept for long enough. */
export class SweepPayload {
  @IsIn(SWEEP_PARTS) part: (typeof SWEEP_PARTS)[number];
}

/** Lanes of one endpoint at most: as many messages are on their way to it at once. */
export const WEBHOOK_LANES = 32;

/** Send what is due to an endpoint, one message after the other. */
export class WebhookPayload {
  @IsUUID() endpointId: string;
  @IsInt() @Min(0) @Max(WEBHOOK_LANES - 1) lane: number;
}

export const QUEUES = {
  plan: PlanPayload,
  span: SpanPayload,
  follower: SpanPayload,
  'long-follower': SpanPayload,
  /** Reading along with sources that have no index. */
  index: SpanPayload,
  'segment-upload': SegmentPayload,
  finishing: FinishingPayload,
  package: PackagePayload,
  cleanup: CleanupPayload,
  scan: ScanPayload,
  sweep: SweepPayload,
  webhook: WebhookPayload,
} as const;

export type QueueName = keyof typeof QUEUES;
export type QueuePayload<Q extends QueueName> = InstanceType<(typeof QUEUES)[Q]>;
export const QUEUE_NAMES = Object.keys(QUEUES) as QueueName[];

/** Fixed ids of queue entries, one place. */
export const queueJobId = {
  plan: (p: PlanPayload) => `plan-${p.jobId}`,
  span: (p: SpanPayload) => `span-${p.spanId}`,
  follower: (p: SpanPayload) => `span-${p.spanId}`,
  'long-follower': (p: SpanPayload) => `span-${p.spanId}`,
  index: (p: SpanPayload) => `span-${p.spanId}`,
  'segment-upload': (p: SegmentPayload) => `seg-${p.spanId}-${p.lease}-${p.rendition}-${p.index}`,
  finishing: (p: FinishingPayload) => `finishing-${p.taskId}`,
  package: (p: PackagePayload) => `package-${p.jobId}`,
  cleanup: (p: CleanupPayload) => `cleanup-${p.assetId}`,
  scan: (p: ScanPayload) => `scan-${p.jobId}`,
  sweep: (p: SweepPayload) => `sweep-${p.part}`,
  webhook: (p: WebhookPayload) => `webhook-${p.endpointId}-${p.lane}`,
} satisfies { [Q in QueueName]: (payload: QueuePayload<Q>) => string };

/** Places within one priority; eleven times this stays below 2^21, the most that BullMQ takes. */
export const PRIORITY_WIDTH = 190_000;

/**
 * Priority 1–10 of a session, 10 first (S3-12), to BullMQ's, where the lowest number runs first and
 * 0 would overtake everything.
 */
export const toQueuePriority = (priority: number) => (11 - priority) * PRIORITY_WIDTH;
