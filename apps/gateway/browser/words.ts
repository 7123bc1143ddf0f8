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
  running: boolean;
  playable: boolean;
  completed: boolean;
  /** Choosing the same file again goes on where it stopped. */
  resumable: boolean;
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
    playable: false,
    completed: false,
    resumable: false,
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
  if (job?.status === 'failed')
    return ended('Failed', 'bad', job.errorMessage ?? 'Something went wrong; try again.');
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
    ? STAGE_WORDS[job?.stage ?? 'uploading']
    : transfer.phase === 'waiting'
      ? 'Next in line'
      : job?.stage === 'transcoding'
        ? 'Uploading and encoding'
        : 'Uploading';
  return {
    ...base,
    headline,
    tone: 'busy',
    sentence: null,
    running: true,
    playable,
  };
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
