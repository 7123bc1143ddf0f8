import { expect, it } from 'vitest';
import { type Fact, NO_PLAYBACK } from '#contracts';
import { applyFact, type FileState, newFileState, plainLine, renderBars, textWidth } from '#launcher';

const file = (name: string, changes: Partial<FileState> = {}): FileState => ({
  ...newFileState(`/videos/${name}`, name, 1000),
  ...changes,
});

const encoding = file('holiday.mp4', {
  bytesSent: 620,
  percent: 41.9,
  stage: 'transcoding',
  renditions: [
    {
      name: '480p',
      kind: 'video',
      mode: 'encode',
      width: 854,
      height: 480,
      segments_completed: 3,
      segments_total: 8,
    },
    {
      name: 'audio',
      kind: 'audio',
      mode: 'copy',
      width: null,
      height: null,
      segments_completed: 2,
      segments_total: null,
    },
  ],
});

it('S0-17 a file shows a bar for its upload, for each rendition and for the whole job', () => {
  expect(renderBars([encoding], { columns: 50, rows: 24 })).toEqual([
    'holiday.mp4',
    '  upload    ████████████▍░░░░░░░ 62 %',
    '  480p      ███████▌░░░░░░░░░░░░ 3/8',
    '  audio     ░░░░░░░░░░░░░░░░░░░░ 2/?',
    '  job       ████████▍░░░░░░░░░░░ 41 % transcoding',
  ]);
});

it('no line wraps, however narrow the terminal is and whatever the file is called', () => {
  const files = [encoding, file('日本の休日と、とても長い名前のビデオ.mp4'), file(`${'é'.repeat(300)}.mp4`)];
  for (let columns = 10; columns < 140; columns++) {
    for (const rows of [3, 8, 50]) {
      for (const line of renderBars(files, { columns, rows })) expect(textWidth(line)).toBeLessThan(columns);
    }
  }
});

it('many files take one line each, and never more lines than the terminal has', () => {
  const files = Array.from({ length: 100 }, (_, index) => file(`clip-${index}.mp4`));
  const medium = renderBars(files.slice(0, 10), { columns: 80, rows: 24 });
  expect(medium).toHaveLength(10);
  const large = renderBars(files, { columns: 80, rows: 24 });
  expect(large.length).toBeLessThan(24);
  expect(large.at(-1)).toBe('… and 79 more');
});

it('a file that is done leaves the bars', () => {
  expect(renderBars([file('done.mp4', { completedMs: 1 }), encoding], { columns: 80, rows: 24 })[0]).toBe(
    'holiday.mp4',
  );
});

it('without a terminal the same is one line', () => {
  expect(plainLine(encoding)).toBe('holiday.mp4: upload 62 %, job 41 % transcoding, 480p 3/8, audio 2/?');
});

it('S1-04 what is shown never goes back, and each milestone is told once', () => {
  const fact = (changes: Partial<Fact>): Fact => ({
    event_type: 'processing_progress',
    version: 1,
    job_id: 'j',
    session_id: null,
    seq: 1,
    durable: false,
    timestamp: '2026-01-01T00:00:00.000Z',
    ...changes,
  });
  const playback = { ...NO_PLAYBACK, early: '/media/j/early.m3u8' };
  const followed = file('a.mp4');
  expect(
    applyFact(followed, fact({ progress_percentage: 40, stage: 'transcoding', playback }), 2100),
  ).toEqual(['playable']);
  expect(applyFact(followed, fact({ progress_percentage: 30, stage: 'uploading', playback }), 2500)).toEqual(
    [],
  );
  expect(followed).toMatchObject({ percent: 40, stage: 'transcoding', playableMs: 2100 });
  const completed = fact({
    event_type: 'processing_completed',
    progress_percentage: 100,
    stage: 'completed',
  });
  expect(applyFact(followed, completed, 5000)).toEqual(['completed']);
  expect(applyFact(followed, completed, 6000)).toEqual([]);
  expect(followed.completedMs).toBe(5000);
});
