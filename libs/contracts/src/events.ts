import type { ErrorCode } from './errors.js';
import type { JobWarning } from './finishing.js';
import {
  DASH_MANIFEST,
  mediaPrefix,
  PLAYLISTS,
  type RenditionKind,
  type RenditionName,
  VOD_MULTIVARIANT,
} from './media.js';
import type { Stage } from './stages.js';

/** S3-11. The same names on Socket.IO, in `progress_events.type` and on the Redis stream. */
export const EVENT_TYPES = [
  'upload_started',
  'upload_progress',
  'upload_completed',
  'upload_failed',
  'processing_initiated',
  'processing_progress',
  'processing_completed',
  'processing_failed',
  'duplicate_detected',
  'session_expired',
  'error',
  'heartbeat',
] as const;
export type EventType = (typeof EVENT_TYPES)[number];

/** What an event looks like: grows with every change that a reader of the version before would misread. */
export const EVENT_VERSIONS: Record<EventType, number> = {
  upload_started: 1,
  upload_progress: 1,
  upload_completed: 1,
  upload_failed: 1,
  processing_initiated: 1,
  processing_progress: 1,
  processing_completed: 1,
  processing_failed: 1,
  duplicate_detected: 1,
  session_expired: 1,
  error: 1,
  heartbeat: 1,
};

export const JOB_STATUSES = ['pending', 'processing', 'completed', 'failed'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

/** S0-17. `segments_total` is null while the plan does not know the end yet. */
export interface RenditionProgress {
  name: RenditionName;
  kind: RenditionKind;
  mode: 'encode' | 'copy';
  width: number | null;
  height: number | null;
  segments_completed: number;
  segments_total: number | null;
}

/**
 * Paths on the gateway, from its root. `early` plays while the job runs; `hls` and `dash` exist once all
 * renditions are stored. In a fact null says nothing: what was said before stays.
 */
export interface Playback {
  early: string | null;
  hls: string | null;
  dash: string | null;
  /** The same over segments of MPEG-TS (S0-11); null where nobody asked for them. */
  early_ts: string | null;
  hls_ts: string | null;
  /** A JPEG. */
  poster: string | null;
  /** WebVTT whose cues name parts of a JPEG (`#xywh`). */
  storyboard: string | null;
}

/** Where an asset's pictures are; null where it has none. */
export type Pictures = Pick<Playback, 'poster' | 'storyboard'>;

/** What is named by a job's result and not by the asset's id alone. */
export type NamedPlayback = Pictures & Pick<Playback, 'hls_ts'>;

export const NO_PLAYBACK: Playback = {
  early: null,
  hls: null,
  dash: null,
  early_ts: null,
  hls_ts: null,
  poster: null,
  storyboard: null,
};

/** Where an asset's playlists over segments of MPEG-TS are; null where it has none. */
export const tsPlaylist = (assetId: string, which: 'early' | 'finished', hasTs: boolean): string | null =>
  hasTs ? `/${mediaPrefix(assetId)}${PLAYLISTS.ts[which][0]}` : null;

/** The finished stream of an asset, with what the result of its job names. */
export const finishedPlayback = (
  assetId: string,
  result: Partial<NamedPlayback> | null,
): Playback & { hls: string; dash: string } => ({
  early: null,
  hls: `/${mediaPrefix(assetId)}${VOD_MULTIVARIANT}`,
  dash: `/${mediaPrefix(assetId)}${DASH_MANIFEST}`,
  early_ts: null,
  hls_ts: result?.hls_ts ?? null,
  poster: result?.poster ?? null,
  storyboard: result?.storyboard ?? null,
});

/**
 * A fact as it crosses process borders and reaches clients.
 * `seq`: number of the job's newest stored event. Durable facts each have their own; progress that
 * was not stored repeats the last one (docs/contracts.md, Events).
 */
export interface Fact {
  event_type: EventType;
  /** Of the event type, see EVENT_VERSIONS. */
  version: number;
  /**
   * Of a durable fact, as it reaches a client: a whole number as text, which grows with every durable fact
   * of the tenant, in the order of their commits. Who gives it as the last one seen gets what came after it.
   */
  id?: string;
  job_id: string;
  session_id: string | null;
  seq: number;
  /** `seq` of the durable fact before this one, 0 for the first; of stored facts. */
  previous?: number;
  /** True when the fact has a row of its own and is replayed in order. */
  durable: boolean;
  /** ISO 8601, the database's clock. */
  timestamp: string;
  /** Of the job, as of this fact. */
  status?: JobStatus;
  progress_percentage?: number;
  stage?: Stage;
  message?: string;
  code?: ErrorCode;
  result?: unknown;
  cached_result?: unknown;
  renditions?: RenditionProgress[];
  playback?: Playback;
  bytes_received?: number;
  bytes_total?: number | null;
  /** As in JobView; where they are not there, nothing is said of them. */
  speed?: number | null;
  eta_seconds?: number | null;
}

/** On the Redis stream a fact travels with its tenant; the gateway takes it off before it sends. */
export interface TenantFact {
  tenant_id: string;
  fact: Fact;
}

export const FACTS_STREAM = 'sluice:facts';
/** The stream is for speed; rows answer what it no longer holds. */
export const FACTS_STREAM_MAX_LENGTH = 10_000;

/** What a job that nobody works on yet waits for: the rest of its file, the scanner, one of the places (S3-04). */
export type WaitingFor = 'upload' | 'scan' | 'place';

/** Why a job failed. */
export interface JobFailure {
  code: ErrorCode;
  /** A sentence for whoever has sent the file. */
  message: string;
  stage: Stage;
  failed_at: string;
  /** What is needed for `POST /jobs/:id/retry` is kept. */
  retryable: boolean;
  /** For operators; null for all others. */
  detail: Record<string, unknown> | null;
}

/** `GET /jobs/:id` (S1-02) and the snapshot of a late joiner. Dates are ISO 8601. */
export interface JobView {
  id: string;
  key: string | null;
  bucket: string | null;
  status: JobStatus;
  stage: Stage;
  progress: number;
  workflow_id: string | null;
  error_code: ErrorCode | null;
  error_message: string | null;
  result: unknown;
  created_at: string;
  updated_at: string;
  completed_at: string | null;
  latest_events: {
    stage: Stage | null;
    progress: number | null;
    message: string | null;
    created_at: string;
  }[];
  // Beyond S1-02:
  tenant_id: string;
  priority: number;
  session_id: string | null;
  batch_id: string | null;
  user_id: string | null;
  filename: string | null;
  seq: number;
  bytes_received: number;
  bytes_total: number | null;
  renditions: RenditionProgress[];
  playback: Playback;
  waiting_for: WaitingFor | null;
  /** Of those that wait for a place, by priority and age; 1 is next. Null for others. */
  place_in_line: number | null;
  /** Why it waits, in a sentence; null where it does not. */
  waiting_message: string | null;
  /** When it may get a place, as far as those that have one say; null while nobody can know. */
  may_start_at: string | null;
  failure: JobFailure | null;
  /** Seconds of video stored in a second, over all workers; null while nobody can know. */
  speed: number | null;
  /** Seconds until all renditions are stored; null while nobody can know, as of work that waits. */
  eta_seconds: number | null;
  /** What a completed job lacks; nothing of it keeps the stream from being played. */
  warnings: JobWarning[];
}
