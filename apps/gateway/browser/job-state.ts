import type {
  Download,
  Fact,
  JobStatus,
  JobView,
  Playback,
  RenditionProgress,
  Stage,
  WaitingFor,
} from '#contracts';
import { NO_PLAYBACK } from '../../../libs/contracts/src/events.js';
import { STAGES } from '../../../libs/contracts/src/stages.js';

/** What the page knows of a job; made only from snapshots and facts, in any order, and never goes back. */
export interface JobState {
  jobId: string;
  sessionId: string | null;
  filename: string | null;
  status: JobStatus;
  stage: Stage;
  /** 0–100 */
  progress: number;
  /** Number of the newest durable fact that is in here. */
  seq: number;
  errorCode: string | null;
  errorMessage: string | null;
  /** It failed, and what another try needs is kept. */
  retryable: boolean;
  bytesReceived: number;
  bytesTotal: number | null;
  renditions: RenditionProgress[];
  playback: Playback;
  waitingFor: WaitingFor | null;
  placeInLine: number | null;
  /** ISO 8601; null while nobody knows. */
  mayStartAt: string | null;
  /** Seconds of video in a second, and seconds that are left; null while nobody knows. */
  speed: number | null;
  etaSeconds: number | null;
  /** Of a finished video. */
  downloads: Download[];
}

const FAILURES = new Set(['upload_failed', 'processing_failed', 'session_expired']);

export function newJob(jobId: string): JobState {
  return {
    jobId,
    sessionId: null,
    filename: null,
    status: 'pending',
    stage: 'uploading',
    progress: 0,
    seq: -1,
    errorCode: null,
    errorMessage: null,
    retryable: false,
    bytesReceived: 0,
    bytesTotal: null,
    renditions: [],
    playback: NO_PLAYBACK,
    waitingFor: null,
    placeInLine: null,
    mayStartAt: null,
    speed: null,
    etaSeconds: null,
    downloads: [],
  };
}

export const isFinal = (job: JobState): boolean => job.status === 'completed' || job.status === 'failed';

/** A failed job that is tried again: what was said of its end, and of how far it was, is over. */
const revived = (job: JobState): JobState => ({
  ...job,
  status: 'pending',
  errorCode: null,
  errorMessage: null,
  renditions: [],
});

export function applySnapshot(known: JobState, view: JobView): JobState {
  const again = known.status === 'failed' && view.seq > known.seq && view.failure === null;
  const job = again ? revived(known) : known;
  return {
    ...job,
    sessionId: view.session_id ?? job.sessionId,
    filename: view.filename ?? job.filename,
    status: laterStatus(job.status, view.status),
    stage: laterStage(job.stage, view.stage),
    progress: Math.max(job.progress, view.progress),
    seq: Math.max(job.seq, view.seq),
    errorCode: view.error_code ?? job.errorCode,
    errorMessage: view.error_message ?? job.errorMessage,
    retryable: view.failure?.retryable ?? false,
    bytesReceived: Math.max(job.bytesReceived, view.bytes_received),
    bytesTotal: view.bytes_total ?? job.bytesTotal,
    renditions: mergeRenditions(job.renditions, view.renditions),
    playback: mergePlayback(job.playback, view.playback),
    waitingFor: view.waiting_for,
    placeInLine: view.place_in_line,
    mayStartAt: view.may_start_at,
    speed: view.speed,
    etaSeconds: view.eta_seconds,
    downloads: downloadsIn(view.result) ?? job.downloads,
  };
}

/** A durable fact that is already in the state is dropped: after a reconnect facts may come again. */
export function applyFact(known: JobState, fact: Fact): JobState {
  if (fact.durable && fact.seq <= known.seq) return known;
  if (fact.event_type === 'heartbeat' || fact.event_type === 'error') return known;
  const again = known.status === 'failed' && fact.durable && fact.event_type === 'processing_initiated';
  const job = again ? revived(known) : known;
  const failed = FAILURES.has(fact.event_type);
  const completed = fact.event_type === 'processing_completed';
  const status = completed ? 'completed' : failed ? 'failed' : runningStatus(job, fact);
  return {
    ...job,
    sessionId: job.sessionId ?? fact.session_id,
    status: laterStatus(job.status, status),
    stage: laterStage(job.stage, completed ? 'completed' : (fact.stage ?? job.stage)),
    progress: Math.max(job.progress, completed ? 100 : (fact.progress_percentage ?? 0)),
    seq: fact.durable ? fact.seq : job.seq,
    errorCode: failed ? (fact.code ?? job.errorCode) : job.errorCode,
    errorMessage: failed ? (fact.message ?? job.errorMessage) : job.errorMessage,
    bytesReceived: Math.max(job.bytesReceived, fact.bytes_received ?? 0),
    bytesTotal: fact.bytes_total ?? job.bytesTotal,
    renditions: mergeRenditions(job.renditions, fact.renditions ?? []),
    playback: fact.playback ? mergePlayback(job.playback, fact.playback) : job.playback,
    waitingFor: status === 'pending' ? job.waitingFor : null,
    speed: fact.speed === undefined ? job.speed : fact.speed,
    etaSeconds: fact.eta_seconds === undefined ? job.etaSeconds : fact.eta_seconds,
    downloads: downloadsIn(fact.result) ?? job.downloads,
  };
}

/** Of a job's result; those of earlier versions have none. */
const downloadsIn = (result: unknown): Download[] | undefined =>
  (result as { downloads?: Download[] } | null | undefined)?.downloads;

function runningStatus(job: JobState, fact: Fact): JobStatus {
  return fact.stage && STAGES.indexOf(fact.stage) > 0 ? 'processing' : job.status;
}

const STATUS_ORDER: Record<JobStatus, number> = { pending: 0, processing: 1, completed: 2, failed: 2 };

/** `completed` and `failed` are final: the first of them stays, until a failed job is tried again. */
function laterStatus(known: JobStatus, said: JobStatus): JobStatus {
  return STATUS_ORDER[said] > STATUS_ORDER[known] ? said : known;
}

function laterStage(known: Stage, said: Stage): Stage {
  return STAGES.indexOf(said) > STAGES.indexOf(known) ? said : known;
}

/** Once a path has been said it stays: a running player goes on with the early playlist. */
function mergePlayback(known: Playback, said: Playback): Playback {
  return {
    early: said.early ?? known.early,
    hls: said.hls ?? known.hls,
    dash: said.dash ?? known.dash,
    early_ts: said.early_ts ?? known.early_ts,
    hls_ts: said.hls_ts ?? known.hls_ts,
    poster: said.poster ?? known.poster,
    storyboard: said.storyboard ?? known.storyboard,
  };
}

/** A fact may carry only the renditions that it is about; the order is that of the first list with all. */
function mergeRenditions(known: RenditionProgress[], said: RenditionProgress[]): RenditionProgress[] {
  if (said.length === 0) return known;
  const before = new Map(known.map((rendition) => [rendition.name, rendition]));
  const merged = said.map((rendition) => {
    const old = before.get(rendition.name);
    before.delete(rendition.name);
    return {
      ...rendition,
      segments_completed: Math.max(rendition.segments_completed, old?.segments_completed ?? 0),
      segments_total: rendition.segments_total ?? old?.segments_total ?? null,
    };
  });
  if (before.size === 0) return merged;
  const fresh = new Map(merged.map((rendition) => [rendition.name, rendition]));
  const kept = known.map((rendition) => {
    const update = fresh.get(rendition.name);
    fresh.delete(rendition.name);
    return update ?? rendition;
  });
  return [...kept, ...fresh.values()];
}
