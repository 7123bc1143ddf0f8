import { describe, expect, it } from 'vitest';
import { lanesOf, NO_PACE, type Pace, type PacedRendition, type PaceSample, paceOf, withSample } from '#work';
import { Random } from '../upload/property/random.js';

const SEGMENT = 4;

interface Course {
  /** Of the video. */
  seconds: number;
  /** Seconds of video in a second, at a time (seconds since the beginning). */
  speedAt(time: number): number;
  /** The end is known. */
  known?: boolean;
  /** Times by which segments are late, 0 to 1 of what one takes. */
  jitter?: () => number;
  workers?: number;
  upload?: { total: number; bytesAt(time: number): number; completeAt: number };
}

const rendition = (name: '720p' | '240p' | 'audio', done: number, total: number | null): PacedRendition => ({
  name,
  kind: name === 'audio' ? 'audio' : 'video',
  mode: 'encode',
  width: name === 'audio' ? null : name === '720p' ? 1280 : 426,
  height: name === 'audio' ? null : name === '720p' ? 720 : 240,
  segments_completed: done,
  segments_total: total,
  seconds_completed: done * SEGMENT,
});

/** What a job says, asked every second, as segments of two rungs and of the sound come. */
function follow(course: Course, until: number): (Pace & { time: number; left: number })[] {
  const segments = course.seconds / SEGMENT;
  const total = course.known === false ? null : segments;
  const jitter = course.jitter ?? (() => 0);
  const workers = course.workers ?? 1;
  const said: (Pace & { time: number; left: number })[] = [];
  let samples: PaceSample[] = [];
  let [work, stored, asked] = [0, 0, 0];
  let late = jitter();
  const step = 0.05;
  const { upload } = course;
  for (let time = 0; time <= until; time += step) {
    work += course.speedAt(time) * step;
    // As many at once as there are workers.
    if (stored < segments && work >= (stored + workers + late) * SEGMENT) {
      stored = Math.min(segments, stored + workers);
      late = jitter();
      const rows = [
        rendition('720p', stored, total),
        rendition('240p', stored, total),
        rendition('audio', segments, total),
      ];
      const bytes = upload ? Math.min(upload.total, upload.bytesAt(time)) : 1;
      const lanes = lanesOf(rows);
      if (lanes) samples = withSample(samples, { at: time, bytes, lanes }) ?? samples;
    }
    if (time < asked) continue;
    asked += 1;
    const arrival = { complete: !upload || time >= upload.completeAt, bytesTotal: upload?.total ?? 1 };
    said.push({ ...paceOf(samples, time, arrival), time, left: course.seconds - stored * SEGMENT });
  }
  return said;
}

const between = (value: number | null, low: number, high: number) => {
  expect(value).toBeGreaterThanOrEqual(low);
  expect(value).toBeLessThanOrEqual(high);
};

describe('the speed of a job and what is left of it', () => {
  const seed = Number(process.env.PACE_SEED ?? Date.now() % 1_000_000);

  it.each([0.4, 1, 5])('are known within 10 % where the speed stays (%d x)', (speed) => {
    const seconds = speed * 400;
    const said = follow({ seconds, speedAt: () => speed }, 380);
    for (const { time, speed: told, eta_seconds } of said.filter(({ time: at }) => at > 15 / speed + 15)) {
      between(told, speed * 0.9, speed * 1.1);
      between(eta_seconds, (400 - time) * 0.9 - 2, (400 - time) * 1.1 + 2);
    }
  });

  it('stay near it where segments come unevenly, of several workers', () => {
    console.info(`PACE_SEED=${seed}`);
    const random = new Random(seed);
    const said = follow(
      { seconds: 2400, speedAt: () => 4, workers: 3, jitter: () => random.next() * 0.5 },
      550,
    );
    for (const { time, speed, eta_seconds } of said.filter((one) => one.time > 40)) {
      between(speed, 3, 5);
      between(eta_seconds, (600 - time) * 0.75 - 12, (600 - time) * 1.25 + 12);
    }
  });

  it('follow a speed that halves', () => {
    const said = follow({ seconds: 1200, speedAt: (time) => (time < 200 ? 4 : 2) }, 390);
    for (const { time, speed, eta_seconds } of said.filter((one) => one.time > 240)) {
      between(speed, 1.8, 2.2);
      between(eta_seconds, (400 - time) * 0.9 - 2, (400 - time) * 1.1 + 2);
    }
  });

  it('are never below a second, and do not count down to an end that does not come', () => {
    const said = follow({ seconds: 400, speedAt: (time) => (time < 95 ? 4 : 0) }, 200);
    const stalled = said.filter((one) => one.time > 97);
    const known = stalled.flatMap(({ eta_seconds }) => (eta_seconds === null ? [] : [eta_seconds]));
    expect(Math.min(...known)).toBeGreaterThanOrEqual(1);
    expect(known.at(-1)).toBeGreaterThan(known[0] as number);
    expect(stalled.at(-1)).toMatchObject(NO_PACE);
    for (const { eta_seconds, left } of said) if (left === 0) expect(eta_seconds).toBeNull();
  });

  it('begin anew after a silence', () => {
    const said = follow({ seconds: 1600, speedAt: (time) => (time > 100 && time < 200 ? 0 : 4) }, 300);
    expect(said.find(({ time }) => time >= 150)).toMatchObject(NO_PACE);
    for (const { speed } of said.filter(({ time }) => time > 215)) between(speed, 3.6, 4.4);
  });

  it('are not those of the encoder where the upload is slower', () => {
    const upload = { total: 1_000_000, bytesAt: (time: number) => time * 2500, completeAt: 400 };
    const said = follow({ seconds: 400, speedAt: (time) => (time < 300 ? 1.3 : 0.3), upload }, 300);
    for (const { time, eta_seconds } of said.filter((one) => one.time > 40))
      between(eta_seconds, (400 - time) * 0.9 - 2, (400 - time) * 1.1 + 2);
  });

  it('tell the speed alone while the end is not known', () => {
    const said = follow({ seconds: 400, known: false, speedAt: () => 2 }, 100);
    for (const { speed, eta_seconds } of said.filter(({ time }) => time > 20)) {
      between(speed, 1.8, 2.2);
      expect(eta_seconds).toBeNull();
    }
  });

  it('are not said of what has not begun', () => {
    expect(paceOf([], 10, { complete: true, bytesTotal: 1 })).toEqual(NO_PACE);
  });
});
