import {
  DASH_MANIFEST,
  EARLY_MULTIVARIANT,
  type ErrorCode,
  type JobStatus,
  type JobView,
  mediaPrefix,
  type Playback,
  type RenditionProgress,
  type Stage,
  VOD_MULTIVARIANT,
  type WaitingFor,
} from '#contracts';

/** What one statement says about a job: everything is of the same instant. */
export interface JobRow {
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
  created_at: Date;
  updated_at: Date;
  completed_at: Date | null;
  last_seq: number;
  playable_at: Date | null;
  asset_id: string;
  asset_kept: boolean;
  session_id: string | null;
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
}

export function toJobView(row: JobRow): JobView {
  return {
    id: row.id,
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
    filename: row.filename,
    seq: row.last_seq,
    bytes_received: row.bytes_received ?? 0,
    bytes_total: row.bytes_total,
    renditions: row.renditions,
    playback: playbackOf(row),
    waiting_for: row.waiting_for,
  };
}

/** Early while the job runs, the others once it is completed, none when the media is going or gone. */
function playbackOf(row: Pick<JobRow, 'status' | 'playable_at' | 'asset_id' | 'asset_kept'>): Playback {
  const at = (name: string) => `/${mediaPrefix(row.asset_id)}${name}`;
  const running = row.status === 'pending' || row.status === 'processing';
  const completed = row.status === 'completed' && row.asset_kept;
  return {
    early: running && row.asset_kept && row.playable_at !== null ? at(EARLY_MULTIVARIANT) : null,
    hls: completed ? at(VOD_MULTIVARIANT) : null,
    dash: completed ? at(DASH_MANIFEST) : null,
  };
}
