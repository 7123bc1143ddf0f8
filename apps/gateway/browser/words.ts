import type { RenditionProgress, Stage } from '#contracts';
import type { JobState } from './job-state.js';

/** This page's own part in an upload; `sent` when it has none. */
export interface TransferState {
  phase: 'waiting' | 'sending' | 'interrupted' | 'sent' | 'failed';
  /** Bytes confirmed. */
  sent: number;
  total: number;
  code: string | null;
  message: string | null;
}

export type Tone = 'quiet' | 'busy' | 'good' | 'bad';

export interface Summary {
  headline: string;
  tone: Tone;
  /** A sentence below the bars: what went wrong, or what to do next. */
  sentence: string | null;
  /** 0–100, whole. */
  percent: number;
  uploadPercent: number;
  /** How fast it goes and what is left; null while nobody knows. */
  pace: string | null;
  running: boolean;
  playable: boolean;
  completed: boolean;
  /** Choosing the same file again goes on where it stopped. */
  resumable: boolean;
  /** What failed can be done again. */
  retryable: boolean;
}

const STAGE_WORDS: Record<Stage, string> = {
  uploading: 'Waiting for an encoder',
  transcoding: 'Encoding',
  validation: 'Checking every segment',
  packaging: 'Writing the playlists',
  storage: 'Storing',
  completed: 'Ready',
};

export function summarise(job: JobState | null, transfer: TransferState, gone: string | null): Summary {
  const total = transfer.total || job?.bytesTotal || 0;
  const received = Math.max(transfer.sent, job?.bytesReceived ?? 0);
  const allReceived =
    transfer.phase === 'sent' ||
    (total > 0 && received >= total) ||
    // Encoding begins while bytes arrive; what comes after it does not.
    (job !== null && job.stage !== 'uploading' && (job.stage !== 'transcoding' || total === 0));
  const uploadPercent = allReceived
    ? 100
    : total > 0
      ? Math.min(100, Math.floor((received / total) * 100))
      : 0;
  const base = {
    uploadPercent,
    percent: Math.floor(job?.progress ?? 0),
    pace: null,
    playable: false,
    completed: false,
    resumable: false,
    retryable: false,
  };
  const ended = (headline: string, tone: Tone, sentence: string | null) =>
    ({ ...base, headline, tone, sentence, running: false }) satisfies Summary;

  if (job?.status === 'completed') {
    return {
      ...ended('Ready', 'good', null),
      percent: 100,
      uploadPercent: 100,
      playable: true,
      completed: true,
    };
  }
  const code = job?.status === 'failed' ? job.errorCode : transfer.phase === 'failed' ? transfer.code : null;
  if (code === 'cancelled') return ended('Cancelled', 'quiet', null);
  if (job?.status === 'failed') {
    const sentence = job.errorMessage ?? 'Something went wrong; try again.';
    return { ...ended('Failed', 'bad', sentence), retryable: job.retryable };
  }
  if (gone !== null) return ended('Gone', 'quiet', gone);
  if (transfer.phase === 'failed') {
    return { ...ended('Upload stopped', 'bad', transfer.message), resumable: job !== null };
  }
  if (transfer.phase === 'interrupted' && !allReceived) {
    const sentence = job
      ? 'The upload was interrupted. Choose the same file again to resume where it stopped.'
      : 'This file had not been sent yet. Choose it again to send it.';
    return { ...ended('Interrupted', 'bad', sentence), running: true, resumable: true };
  }
  const playable = job?.playback.early != null;
  const headline = allReceived
    ? (waitingWords(job) ?? STAGE_WORDS[job?.stage ?? 'uploading'])
    : transfer.phase === 'waiting'
      ? 'Next in line'
      : job?.stage === 'transcoding'
        ? 'Uploading and encoding'
        : 'Uploading';
  return {
    ...base,
    headline,
    tone: 'busy',
    sentence: allReceived ? waitingSentence(job) : null,
    pace: job?.stage === 'transcoding' ? paceWords(job) : null,
    running: true,
    playable,
  };
}

const waitingWords = (job: JobState | null): string | null =>
  job?.waitingFor === 'scan'
    ? 'Waiting for the virus scan'
    : job?.waitingFor === 'place'
      ? 'Waiting for its turn'
      : null;

function waitingSentence(job: JobState | null): string | null {
  if (job?.waitingFor !== 'place') return null;
  const { placeInLine, mayStartAt } = job;
  const others = 'Other videos are being worked on';
  if (placeInLine === null) return `${others}.`;
  const place = placeInLine === 1 ? 'this one is next' : `this one is number ${placeInLine} in line`;
  const seconds = mayStartAt ? (Date.parse(mayStartAt) - Date.now()) / 1000 : 0;
  const start = seconds > 0 ? ` It may start in ${timeLeft(seconds).replace(' left', '')}.` : '';
  return `${others}; ${place}.${start}`;
}

function paceWords({ speed, etaSeconds }: JobState): string | null {
  const words = [
    etaSeconds === null ? null : timeLeft(etaSeconds),
    speed === null ? null : `${speed.toFixed(1)}× speed`,
  ];
  return words.filter((word) => word !== null).join(' · ') || null;
}

/** In steps that do not promise more than is known. */
export function timeLeft(seconds: number): string {
  if (seconds <= 10) return 'a few seconds left';
  if (seconds <= 50) return `about ${Math.ceil(seconds / 10) * 10} s left`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  if (minutes < 60) return `about ${minutes} min left`;
  const hours = Math.floor(minutes / 60);
  return minutes % 60 === 0 ? `about ${hours} h left` : `about ${hours} h ${minutes % 60} min left`;
}

/** `1080p` stays; tracks get a capital: `Audio`, `Audio 2`, `Subtitles`. */
export function renditionLabel({ kind, name }: RenditionProgress): string {
  if (kind === 'video') return name;
  return `${name.charAt(0).toUpperCase()}${name.slice(1).replace('-', ' ')}`;
}

/** Null while the plan does not know the end: the bar is then without a value. */
export function renditionPercent(rendition: RenditionProgress): number | null {
  const { segments_completed: done, segments_total: total } = rendition;
  if (total === null) return null;
  return total === 0 ? 100 : Math.min(100, (done / total) * 100);
}
