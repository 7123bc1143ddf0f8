import { describe, expect, it } from 'vitest';
import {
  audioBorders,
  bytesBetween,
  gridBorders,
  gridOf,
  keyFrameBefore,
  keyFrameBorders,
  planGrid,
  planJob,
  planLadder,
  planSpans,
  targetDuration,
} from '#media';
import { analysis, options } from './analysis.js';

const sizes = (width: number, height: number) =>
  planLadder(width, height, 30).map((rung) => `${rung.name} ${rung.width}x${rung.height}`);

describe('the ladder', () => {
  it.each([
    [
      'full HD',
      1920,
      1080,
      ['1080p 1920x1080', '720p 1280x720', '480p 854x480', '360p 640x360', '240p 426x240'],
    ],
    [
      'portrait: the short side counts',
      1080,
      1920,
      ['1080p 1080x1920', '720p 720x1280', '480p 480x854', '360p 360x640', '240p 240x426'],
    ],
    [
      '4K is scaled down, never up',
      3840,
      2160,
      ['1080p 1920x1080', '720p 1280x720', '480p 854x480', '360p 640x360', '240p 426x240'],
    ],
    ['between two rungs its own size is kept', 768, 432, ['480p 768x432', '360p 640x360', '240p 426x240']],
    ['just above a rung, no rung of its own', 640, 364, ['360p 632x360', '240p 422x240']],
    ['smaller than all', 64, 48, ['240p 64x48']],
    ['odd sides become even', 321, 241, ['240p 320x240']],
    [
      'a very wide picture',
      8000,
      1000,
      ['1080p 4096x512', '720p 4096x512', '480p 3840x480', '360p 2880x360', '240p 1920x240'],
    ],
  ])('%s', (_, width, height, expected) => {
    expect(sizes(width, height)).toEqual(expected);
  });

  it('never scales up, keeps the ratio within a pixel of rounding and has even sides', () => {
    for (let i = 0; i < 500; i++) {
      const [width, height] = [16 + ((i * 7919) % 4000), 16 + ((i * 104_729) % 2300)];
      for (const rung of planLadder(width, height, 30)) {
        expect(rung.width).toBeLessThanOrEqual(width + 1);
        expect(rung.height).toBeLessThanOrEqual(height + 1);
        expect((rung.width % 2) + (rung.height % 2)).toBe(0);
        const scale = Math.max(rung.width / width, rung.height / height);
        expect(Math.abs(rung.width - width * scale)).toBeLessThan(2 + 2 * (width / height));
        expect(Math.abs(rung.height - height * scale)).toBeLessThan(2 + 2 * (height / width));
      }
    }
  });
});

describe('the grid', () => {
  it.each([
    ['a constant rate stays', { num: 30000, den: 1001 }, null, 29.97, '30000/1001'],
    ['a fast one is halved', { num: 120, den: 1 }, null, 120, '60/1'],
    [
      'a varying one keeps the rate that its frames are multiples of',
      null,
      { num: 30, den: 1 },
      23.9,
      '30/1',
    ],
    ['a nominal rate that is none is not believed', null, { num: 90000, den: 1 }, 24.4, '25/1'],
    ['nor one that would mostly repeat frames', null, { num: 60, den: 1 }, 14.8, '15/1'],
  ])('%s', (_, constant, nominal, average, expected) => {
    const { fps } = planGrid(constant, nominal, average);
    expect(`${fps.num}/${fps.den}`).toBe(expected);
  });

  it('has a whole number of ticks for each frame and at least 10,000 a second', () => {
    for (const [num, den] of [
      [24, 1],
      [25, 2],
      [30000, 1001],
      [60, 1],
      [24000, 1001],
      [10, 1],
    ] as const) {
      const grid = gridOf({ num, den });
      expect(grid.timescale).toBeGreaterThanOrEqual(10_000);
      expect(grid.frameTicks * num).toBe(grid.timescale * den);
    }
  });
});

describe('borders', () => {
  const grid = gridOf({ num: 30, den: 1 });

  it('lie every 4 s, and a short tail joins its neighbour', () => {
    expect(gridBorders(grid, 300, 4)).toEqual([0, 120, 240, 300]);
    expect(gridBorders(grid, 250, 4)).toEqual([0, 120, 250]);
    expect(gridBorders(grid, 1, 4)).toEqual([0, 1]);
    expect(gridBorders(gridOf({ num: 1, den: 1 }), 9, 1)).toEqual([0, 4, 9]);
  });

  it('of a copied rung lie on the source’s key frames, at least three quarters of a segment apart', () => {
    expect(keyFrameBorders(grid, 400, [0, 48, 96, 144, 192, 240, 288, 336], 4)).toEqual([
      0, 96, 192, 288, 400,
    ]);
    expect(keyFrameBorders(grid, 350, [0, 160, 320], 4)).toEqual([0, 160, 320, 350]);
  });

  it('of audio are the nearest whole frames, so that no error adds up', () => {
    const ntsc = gridOf({ num: 30000, den: 1001 });
    const video = gridBorders(ntsc, 120 * 2500, 4);
    const audio = audioBorders(ntsc, video, 48_000);
    for (let i = 0; i < video.length; i++) {
      const drift = ((audio[i] as number) * 1024) / 48_000 - ((video[i] as number) * 1001) / 30_000;
      expect(Math.abs(drift)).toBeLessThanOrEqual(0.5 * (1024 / 48_000) + 1e-9);
    }
  });

  it('give a target duration that no segment exceeds (RFC 8216, 4.3.3.1)', () => {
    expect(targetDuration(grid, [0, 120, 270])).toBe(5);
    expect(targetDuration(grid, [0, 1])).toBe(1);
  });
});

describe('spans', () => {
  const grid = gridOf({ num: 30, den: 1 });

  it('cover every segment once, in order', () => {
    for (const [i, segments] of [1, 2, 5, 6, 7, 30, 31, 300, 5000].flatMap((n) => [n, n]).entries()) {
      const borders = Array.from({ length: segments + 1 }, (_, i) => i * 120);
      const spans = planSpans(grid, borders, [0], 20, i % 2 ? 3 : 1);
      expect(spans[0]?.firstSegment).toBe(0);
      expect(spans.reduce((sum, span) => sum + span.segmentCount, 0)).toBe(segments);
      for (let i = 1; i < spans.length; i++) {
        const before = spans[i - 1];
        expect(spans[i]?.firstSegment).toBe((before?.firstSegment ?? 0) + (before?.segmentCount ?? 0));
      }
      expect(spans.length).toBeLessThanOrEqual(201);
    }
  });

  it('of a small ladder are longer while much is left, and short at the end', () => {
    const seconds = Array.from({ length: 20 * 60 + 1 }, (_, i) => i);
    const counts = (minutes: number, stretch: number) => {
      const borders = Array.from({ length: minutes * 15 + 1 }, (_, i) => i * 120);
      return planSpans(grid, borders, seconds, 20, stretch).map(({ segmentCount }) => segmentCount);
    };
    expect(counts(5, 1)).toEqual(Array.from({ length: 15 }, () => 5));
    expect(counts(5, 3)).toEqual([12, 10, 8, 7, 6, 5, 5, 5, 5, 5, 5, 2]);
    expect(counts(1, 3)).toEqual([5, 5, 5]);
    expect(Math.max(...counts(20, 3))).toBe(15);
    expect(counts(20, 3).length).toBeLessThan(counts(20, 1).length / 2);
  });

  it('begin where the least is decoded twice', () => {
    const borders = Array.from({ length: 16 }, (_, i) => i * 120);
    // A key frame at 16 s lies on a border near the wanted 20 s.
    expect(planSpans(grid, borders, [0, 10.4, 16, 26.4], 20)[0]).toEqual({
      firstSegment: 0,
      segmentCount: 4,
    });
  });

  it('of a source that still arrives begin with the bytes of their first segment, and say where each ends', () => {
    const extents = Array.from({ length: 60 }, (_, i) => ({ seconds: i, from: i * 100, to: i * 100 + 100 }));
    const { timeline } = analysis();
    const source = analysis({ copyObstacle: 'for the test', timeline: { ...timeline, extents } });
    const spans = (arrivalSeconds: number) =>
      planJob(source, { ...options, arrivalSeconds }).spans.filter(
        ({ kind, renditions }) => kind === 'video' && renditions.length > 1,
      );
    expect(spans(60).map((span) => span.segmentCount)).toEqual([5, 5, 5]);
    expect(spans(60)[1]).toMatchObject({ bytes: { to: 2400 }, reads: [2500, 2900, 3300, 3700, 4100] });
    expect(spans(0).map(({ reads }) => reads)).toEqual([null, null, null]);
  });

  it('need the bytes from their key frame to their end, and what a decoder reads ahead', () => {
    const extents = [0, 1, 2, 3, 4].map((at) => ({ seconds: at, from: at * 100, to: at * 100 + 100 }));
    expect(bytesBetween(extents, 1, 2)).toEqual({ from: 100, to: 200 });
    expect(bytesBetween(extents, 1, 2, 1)).toEqual({ from: 100, to: 300 });
    expect(bytesBetween(extents, 1.5, 1.9)).toEqual({ from: 100, to: 200 });
    expect(bytesBetween(extents, 0, 9)).toEqual({ from: 0, to: 500 });
    expect(bytesBetween([], 0, 9)).toEqual({ from: 0, to: 0 });
  });

  it('decode from the last key frame at or before their start', () => {
    expect(keyFrameBefore([0, 8.34, 16.68], 16.68)).toBe(16.68);
    expect(keyFrameBefore([0, 8.34, 16.68], 16)).toBe(8.34);
    expect(keyFrameBefore([], 3)).toBe(0);
  });
});

describe('the plan', () => {
  it('of a fit source copies the top rung, and every rendition has the same borders', () => {
    const plan = planJob(analysis(), options);
    expect(plan.renditions.map((r) => `${r.name} ${r.mode} ${r.segments}`)).toEqual([
      '720p copy 15',
      '480p encode 15',
      '360p encode 15',
      '240p encode 15',
      'audio encode 15',
    ]);
    expect(plan.renditions.filter((r) => r.inStartSet).map((r) => r.name)).toEqual(['720p', 'audio']);
    expect(plan.spans.map((s) => s.kind).slice(0, 2)).toEqual(['copy', 'audio']);
    expect(plan.spans.every((s) => s.waitsFor === null)).toBe(true);
    expect(plan.audio?.channels).toBe(2);
  });

  it('of another source makes the lowest rung’s first segment on its own, so that it plays at once', () => {
    const plan = planJob(analysis({ copyObstacle: 'because' }), options);
    expect(plan.renditions.filter((r) => r.inStartSet).map((r) => r.name)).toEqual(['240p', 'audio']);
    const [start, first] = plan.spans.filter((s) => s.kind === 'video');
    expect(start).toMatchObject({ renditions: ['240p'], firstSegment: 0, segmentCount: 1 });
    expect(first).toMatchObject({ firstSegment: 0, seekSeconds: null, skipTo: { '240p': 1 } });
    const opening = plan.spans.filter((s) => s.waitsFor === null);
    expect(opening.map((s) => [s.renditions, s.firstSegment, s.segmentCount])).toEqual([
      [['audio'], 0, 1],
      [['240p'], 0, 1],
    ]);
    expect(new Set(plan.spans.map((s) => s.waitsFor))).toEqual(new Set([null, plan.spans.indexOf(start!)]));
    const audio = plan.spans.filter((s) => s.kind === 'audio').map((s) => [s.firstSegment, s.segmentCount]);
    expect(audio).toEqual([
      [0, 1],
      [1, plan.borders.length - 2],
    ]);
    expect(planJob(analysis({ copyObstacle: 'because' }), options)).toEqual(plan);
  });

  it('holds the last picture for sound that outlasts it, and then copies nothing', () => {
    const plan = planJob(analysis({ audio: { ...analysis().audio!, endSeconds: 61 } }), options);
    expect(plan.renditions.every((r) => r.mode === 'encode')).toBe(true);
    expect(plan.borders.at(-1)).toBe(1830);
    expect(plan.video.holdEnd).toBe(30);
  });

  it('holds the first picture for sound that begins earlier', () => {
    const base = analysis();
    const plan = planJob(
      analysis({ timeline: { ...base.timeline, startSeconds: 2, startTicks: 30720, endSeconds: 62 } }),
      options,
    );
    expect(plan).toMatchObject({ zeroSeconds: 0, video: { holdStart: true, zeroTicks: 0 } });
    expect(plan.borders.at(-1)).toBe(62 * 30);
  });
});
