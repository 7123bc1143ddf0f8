import { describe, expect, it } from 'vitest';
import { type Fact, type JobView, NO_PLAYBACK, type RenditionProgress } from '#contracts';
import { applyFact, applySnapshot, newJob } from '../../apps/gateway/browser/job-state.js';
import { summarise } from '../../apps/gateway/browser/words.js';

const JOB = '6f0e0a7e-0000-4000-8000-000000000001';
const nothing = NO_PLAYBACK;

function fact(part: Partial<Fact>): Fact {
  return {
    event_type: 'processing_progress',
    job_id: JOB,
    session_id: null,
    seq: 1,
    durable: false,
    timestamp: '2026-01-01T00:00:00.000Z',
    ...part,
  };
}

function rendition(name: '360p' | '240p', done: number, total: number | null): RenditionProgress {
  return {
    name,
    kind: 'video',
    mode: 'encode',
    width: 640,
    height: 360,
    segments_completed: done,
    segments_total: total,
  };
}

function snapshot(part: Partial<JobView>): JobView {
  return {
    id: JOB,
    key: null,
    bucket: null,
    status: 'processing',
    stage: 'transcoding',
    progress: 40,
    workflow_id: null,
    error_code: null,
    error_message: null,
    result: null,
    created_at: '2026-01-01T00:00:00.000Z',
    updated_at: '2026-01-01T00:00:00.000Z',
    completed_at: null,
    latest_events: [],
    session_id: null,
    filename: 'a.mp4',
    seq: 5,
    bytes_received: 10,
    bytes_total: 10,
    renditions: [rendition('360p', 3, 6)],
    playback: nothing,
    waiting_for: null,
    place_in_line: null,
    speed: null,
    eta_seconds: null,
    warnings: [],
    ...part,
  };
}

describe('what the page knows of a job', () => {
  it('has the files to download from the result, whichever way that comes', () => {
    const downloads = [{ name: '360p' as const, url: '/media/a/360p/download-00000000.mp4', bytes: 9 }];
    const done = fact({ event_type: 'processing_completed', durable: true, seq: 9, result: { downloads } });
    expect(applyFact(newJob(JOB), done).downloads).toEqual(downloads);
    expect(applySnapshot(newJob(JOB), snapshot({ result: { downloads } })).downloads).toEqual(downloads);
    expect(applySnapshot(newJob(JOB), snapshot({ result: {} })).downloads).toEqual([]);
  });

  it('S1-04 never goes back, whatever comes late', () => {
    const job = applySnapshot(newJob(JOB), snapshot({}));
    const late = applyFact(
      job,
      fact({
        seq: 3,
        stage: 'uploading',
        progress_percentage: 7,
        renditions: [rendition('360p', 1, null)],
      }),
    );
    expect(late).toMatchObject({ stage: 'transcoding', progress: 40 });
    expect(late.renditions[0]).toMatchObject({ segments_completed: 3, segments_total: 6 });
    const older = applySnapshot(
      late,
      snapshot({ stage: 'uploading', progress: 6, seq: 1, status: 'pending' }),
    );
    expect(older).toMatchObject({ status: 'processing', stage: 'transcoding', progress: 40, seq: 5 });
  });

  it('S3-11 drops a durable fact that it has already', () => {
    const job = applySnapshot(newJob(JOB), snapshot({ seq: 5 }));
    const again = fact({ seq: 5, durable: true, event_type: 'processing_failed', code: 'encode_failed' });
    expect(applyFact(job, again)).toBe(job);
    expect(applyFact(job, { ...again, seq: 6 })).toMatchObject({ status: 'failed', seq: 6 });
  });

  it('keeps the early path of a running player when the job is complete', () => {
    const early = applySnapshot(
      newJob(JOB),
      snapshot({ playback: { ...nothing, early: '/media/a/early.m3u8' } }),
    );
    const done = applyFact(
      early,
      fact({
        seq: 9,
        durable: true,
        event_type: 'processing_completed',
        playback: { early: null, hls: '/media/a/master.m3u8', dash: '/media/a/manifest.mpd' },
      }),
    );
    expect(done).toMatchObject({ status: 'completed', stage: 'completed', progress: 100 });
    expect(done.playback).toEqual({
      ...NO_PLAYBACK,
      early: '/media/a/early.m3u8',
      hls: '/media/a/master.m3u8',
      dash: '/media/a/manifest.mpd',
    });
  });

  it('S0-17 a fact about one rendition leaves the others as they were, in their order', () => {
    const job = applySnapshot(
      newJob(JOB),
      snapshot({ renditions: [rendition('360p', 1, 6), rendition('240p', 1, 6)] }),
    );
    const next = applyFact(job, fact({ seq: 5, renditions: [rendition('240p', 2, 6)] }));
    expect(next.renditions.map((r) => [r.name, r.segments_completed])).toEqual([
      ['360p', 1],
      ['240p', 2],
    ]);
  });
});

describe('the words of a row', () => {
  const transfer = { phase: 'interrupted', sent: 0, total: 100, code: null, message: null } as const;

  it('an upload that a reload interrupted asks for the file', () => {
    const job = applySnapshot(
      newJob(JOB),
      snapshot({ status: 'pending', stage: 'uploading', bytes_received: 50, bytes_total: 100 }),
    );
    const summary = summarise(job, transfer, null);
    expect(summary).toMatchObject({ headline: 'Interrupted', uploadPercent: 50, resumable: true });
    const encoding = summarise({ ...job, stage: 'transcoding' }, transfer, null);
    expect(encoding).toMatchObject({ headline: 'Interrupted', uploadPercent: 50, resumable: true });
  });

  it('an upload whose last byte had arrived is not interrupted', () => {
    const job = applySnapshot(
      newJob(JOB),
      snapshot({ status: 'pending', stage: 'uploading', bytes_received: 100, bytes_total: 100 }),
    );
    expect(summarise(job, transfer, null)).toMatchObject({ headline: 'Waiting for an encoder' });
  });

  it('S3-04 a video that waits says for what, and when its turn comes', () => {
    const sent = { status: 'pending', stage: 'uploading', bytes_received: 100, bytes_total: 100 } as const;
    const waits = (part: Partial<JobView>) =>
      summarise(applySnapshot(newJob(JOB), snapshot({ ...sent, ...part })), transfer, null);
    expect(waits({ waiting_for: 'scan' }).headline).toBe('Waiting for the virus scan');
    expect(waits({ waiting_for: 'place', place_in_line: 1 }).sentence).toContain('this one is next');
    expect(waits({ waiting_for: 'place', place_in_line: 3 })).toMatchObject({
      headline: 'Waiting for its turn',
      sentence: expect.stringContaining('number 3 in line'),
    });
  });

  it('S0-17 an encode says how fast it is and what is left, as far as somebody knows', () => {
    const words = (speed: number | null, eta_seconds: number | null) =>
      summarise(
        applySnapshot(newJob(JOB), snapshot({ speed, eta_seconds })),
        { ...transfer, phase: 'sent' },
        null,
      ).pace;
    expect(words(null, null)).toBeNull();
    expect(words(1.25, null)).toBe('1.3× speed');
    expect(words(3, 7)).toBe('a few seconds left · 3.0× speed');
    expect([11, 50, 70, 89, 3599, 3700, 7200].map((left) => words(null, left))).toEqual([
      ...['about 20 s left', 'about 50 s left', 'about 1 min left', 'about 1 min left'],
      ...['about 1 h left', 'about 1 h 2 min left', 'about 2 h left'],
    ]);
  });

  it('what a fact says of speed and time left stays until another one says something', () => {
    const job = applySnapshot(newJob(JOB), snapshot({ speed: 2, eta_seconds: 30 }));
    expect(applyFact(job, fact({ seq: 5 }))).toMatchObject({ speed: 2, etaSeconds: 30 });
    const stalled = fact({ seq: 5, speed: null, eta_seconds: null });
    expect(applyFact(job, stalled)).toMatchObject({ speed: null, etaSeconds: null });
  });

  it('a failed job says its sentence and can no more be cancelled', () => {
    const job = applySnapshot(
      newJob(JOB),
      snapshot({ status: 'failed', error_code: 'not_a_video', error_message: 'Choose a video.' }),
    );
    const summary = summarise(job, transfer, null);
    expect(summary).toMatchObject({ headline: 'Failed', sentence: 'Choose a video.', running: false });
  });
});

describe('a failed job that is tried again', () => {
  const failure = {
    ...{ code: 'encode_failed', message: 'It failed.', stage: 'transcoding', retryable: true, detail: null },
    failed_at: '2026-01-01T00:00:00.000Z',
  } as const;
  const failed = applySnapshot(
    newJob(JOB),
    snapshot({ status: 'failed', error_code: 'encode_failed', error_message: 'It failed.', failure }),
  );
  const offered = summarise(failed, { phase: 'sent', sent: 10, total: 10, code: null, message: null });

  it('is offered where that can help', () => {
    expect(offered).toMatchObject({ headline: 'Failed', sentence: 'It failed.', retryable: true });
  });

  it.each([
    ['the answer', applySnapshot(failed, snapshot({ seq: 6, failure: null }))],
    [
      'the fact',
      applyFact(
        failed,
        fact({ event_type: 'processing_initiated', durable: true, seq: 6, stage: 'transcoding' }),
      ),
    ],
  ])('runs again by %s', (_name, again) => {
    expect(again).toMatchObject({ status: 'processing', errorCode: null, errorMessage: null, progress: 40 });
  });

  it('stays failed by what was said before', () => {
    expect(applySnapshot(failed, snapshot({ seq: 5, failure: null })).status).toBe('failed');
    expect(
      applyFact(failed, fact({ event_type: 'processing_initiated', durable: true, seq: 2 })).status,
    ).toBe('failed');
    expect(applyFact(failed, fact({ seq: 9 })).status).toBe('failed');
  });
});
