import type { Fact, JobView, Playback, RenditionProgress, Stage } from '#contracts';

/** What is known of one file on its way; bytes, and milliseconds since its upload began. */
export interface FileState {
  readonly path: string;
  readonly name: string;
  bytesSent: number;
  bytesTotal: number;
  jobId: string | null;
  stage: Stage | null;
  /** 0–100; never goes back. */
  percent: number;
  renditions: RenditionProgress[];
  playableMs: number | null;
  completedMs: number | null;
  failure: { code: string; message: string } | null;
}

/** What a person is told once per file. */
export type Milestone = 'playable' | 'completed' | 'failed';

export function newFileState(path: string, name: string, bytesTotal: number): FileState {
  return {
    path,
    name,
    bytesTotal,
    bytesSent: 0,
    jobId: null,
    stage: null,
    percent: 0,
    renditions: [],
    playableMs: null,
    completedMs: null,
    failure: null,
  };
}

export const isDone = (file: FileState) => file.completedMs !== null || file.failure !== null;

/** News of a job, from whichever of facts, snapshot and polling came first. Says what it newly reached. */
export function applyFact(file: FileState, fact: Fact, elapsedMs: number): Milestone[] {
  const failed = fact.event_type === 'processing_failed' || fact.event_type === 'session_expired';
  return apply(file, elapsedMs, {
    stage: fact.stage,
    percent: fact.progress_percentage,
    renditions: fact.renditions,
    playback: fact.playback,
    completed: fact.event_type === 'processing_completed',
    failure: failed
      ? { code: fact.code ?? 'internal', message: fact.message ?? 'Processing failed.' }
      : undefined,
  });
}

export function applyView(file: FileState, view: JobView, elapsedMs: number): Milestone[] {
  const failure =
    view.status === 'failed'
      ? { code: view.error_code ?? 'internal', message: view.error_message ?? 'Processing failed.' }
      : undefined;
  return apply(file, elapsedMs, {
    stage: view.stage,
    percent: view.progress,
    renditions: view.renditions,
    playback: view.playback,
    completed: view.status === 'completed',
    failure,
  });
}

interface News {
  stage?: Stage;
  percent?: number;
  renditions?: RenditionProgress[];
  playback?: Playback;
  completed: boolean;
  failure?: { code: string; message: string };
}

function apply(file: FileState, elapsedMs: number, news: News): Milestone[] {
  if (isDone(file)) return [];
  const reached: Milestone[] = [];
  if ((news.percent ?? 0) >= file.percent) {
    file.percent = news.percent ?? file.percent;
    file.stage = news.stage ?? file.stage;
  }
  for (const rendition of news.renditions ?? []) mergeRendition(file.renditions, rendition);
  const playable = news.playback?.early || news.playback?.hls || news.completed;
  if (playable && file.playableMs === null) {
    file.playableMs = elapsedMs;
    reached.push('playable');
  }
  if (news.completed) {
    file.completedMs = elapsedMs;
    file.percent = 100;
    file.stage = 'completed';
    reached.push('completed');
  } else if (news.failure) {
    file.failure = news.failure;
    reached.push('failed');
  }
  return reached;
}

function mergeRendition(known: RenditionProgress[], news: RenditionProgress): void {
  const index = known.findIndex((rendition) => rendition.name === news.name);
  const before = known[index];
  if (before === undefined) known.push(news);
  else if (news.segments_completed >= before.segments_completed) known[index] = news;
}
