import {
  DASH_MANIFEST,
  EARLY_MULTIVARIANT,
  type ErrorCode,
  finishedPlayback,
  type JobFailure,
  type JobStatus,
  type JobSummary,
  type JobView,
  type JobWarning,
  mediaPrefix,
  type NamedPlayback,
  NO_PLAYBACK,
  type Playback,
  type RenditionProgress,
  type Stage,
  tsPlaylist,
  VOD_MULTIVARIANT,
  type WaitingFor,
} from '#contracts';
import { NO_PACE, type Pace, type PaceSample, paceOf } from '#work';
import { waitingWords } from './waiting-words.js';

/** What one statement says about a job: everything is of the same instant. */
export interface JobRow {
  id: string;
  tenant_id: string;
  priority: number;
  key: string | null;
  bucket: string | null;
  status: JobStatus;
  stage: Stage;
  progress: number;
  workflow_id: string | null;
  error_code: ErrorCode | null;
  error_message: string | null;
  error_detail: Record<string, unknown> | null;
  /** What another try needs is kept. */
  retryable: boolean;
  result: (NamedPlayback & { warnings?: JobWarning[] }) | null;
  created_at: Date;
  updated_at: Date;
  completed_at: Date | null;
  last_seq: number;
  playable_at: Date | null;
  packaged_at: Date | null;
  /** Every member of the start set, and any rendition, has segments of MPEG-TS. */
  early_ts: boolean | null;
  has_ts: boolean | null;
  asset_id: string;
  asset_kept: boolean;
  session_id: string | null;
  batch_id: string | null;
  user_id: string | null;
  filename: string | null;
  bytes_received: number | null;
  bytes_total: number | null;
  /** JSON of the database: times are text. */
  latest_events: {
    stage: Stage | null;
    progress: number | null;
    message: string | null;
    created_at: string;
  }[];
  renditions: RenditionProgress[];
  waiting_for: WaitingFor | null;
  /** The job whose place in the line is this one's. */
  in_line: string | null;
  place_in_line: number | null;
  pace: PaceSample[];
  source_complete: boolean;
  /** Seconds since the epoch. */
  now: number;
  /** Names of pictures that are stored, while the job runs. */
  poster: string | null;
  storyboard: string | null;
}

/** What the row does not say itself. */
export interface Beside {
  mayStartAt: string | null;
  /** Whether the reader may have the operator's words. */
  isOperator: boolean;
}

export function toJobView(row: JobRow, beside: Beside): JobView {
  return {
    id: row.id,
    tenant_id: row.tenant_id,
    priority: row.priority,
    key: row.key,
    bucket: row.bucket,
    status: row.status,
    stage: row.stage,
    progress: row.progress,
    workflow_id: row.workflow_id,
    error_code: row.error_code,
    error_message: row.error_message,
    result: row.result,
    created_at: row.created_at.toISOString(),
    updated_at: row.updated_at.toISOString(),
    completed_at: row.completed_at?.toISOString() ?? null,
    latest_events: row.latest_events.map((event) => ({
      ...event,
      created_at: new Date(event.created_at).toISOString(),
    })),
    session_id: row.session_id,
    batch_id: row.batch_id,
    user_id: row.user_id,
    filename: row.filename,
    seq: row.last_seq,
    bytes_received: row.bytes_received ?? 0,
    bytes_total: row.bytes_total,
    renditions: row.renditions,
    playback: playbackOf(row),
    waiting_for: row.waiting_for,
    place_in_line: row.place_in_line,
    waiting_message: waitingWords(row.waiting_for, row.place_in_line),
    may_start_at: beside.mayStartAt,
    failure: failureOf(row, beside),
    ...paceOfRow(row),
    warnings: row.result?.warnings ?? [],
  };
}

export function toJobSummary(row: JobRow, beside: Beside): JobSummary {
  const { latest_events: _events, renditions: _renditions, ...summary } = toJobView(row, beside);
  return summary;
}

function failureOf(row: JobRow, { isOperator }: Beside): JobFailure | null {
  if (row.status !== 'failed') return null;
  return {
    code: row.error_code ?? 'internal',
    message: row.error_message ?? 'The video could not be converted.',
    stage: row.stage,
    failed_at: (row.completed_at ?? row.updated_at).toISOString(),
    retryable: row.retryable,
    detail: isOperator ? row.error_detail : null,
  };
}

/** What comes after the encode has no pace of its own. */
function paceOfRow(row: JobRow): Pace {
  if (row.status !== 'processing' || row.stage !== 'transcoding') return NO_PACE;
  return paceOf(row.pace, row.now, { complete: row.source_complete, bytesTotal: row.bytes_total });
}

/** Early while the job runs, the others once all renditions are stored, none when the media is going or gone. */
function playbackOf(row: JobRow): Playback {
  if (!row.asset_kept) return NO_PLAYBACK;
  const at = (name: string) => `/${mediaPrefix(row.asset_id)}${name}`;
  if (row.status === 'completed') return finishedPlayback(row.asset_id, row.result);
  if (row.status === 'failed') return NO_PLAYBACK;
  return {
    early: row.playable_at === null ? null : at(EARLY_MULTIVARIANT),
    hls: row.packaged_at === null ? null : at(VOD_MULTIVARIANT),
    dash: row.packaged_at === null ? null : at(DASH_MANIFEST),
    early_ts: tsPlaylist(row.asset_id, 'early', row.playable_at !== null && row.early_ts === true),
    hls_ts: tsPlaylist(row.asset_id, 'finished', row.packaged_at !== null && row.has_ts === true),
    poster: row.poster && at(row.poster),
    storyboard: row.storyboard && at(row.storyboard),
  };
}
