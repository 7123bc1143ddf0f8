import path from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  gridOf,
  type Plan,
  type PlannedRendition,
  planStoryboard,
  qualityMetric,
  qualityRun,
  readScores,
  runTool,
  storyboardVtt,
} from '#media';
import { sampledSegments } from '../../apps/segment-upload/src/finishing/sampling.js';
import { verdictOf } from '../../apps/segment-upload/src/finishing/verdict.js';
import { makeFile } from '../clips/make.js';
import { serveFolder } from '../verify/serve.js';
import { readStoryboard } from './pictures.js';

const FLOOR = { vmaf: 70, ssim: 0.85, psnr: 25 };
const PICTURE = 'testsrc2=s=320x180:r=25:d=2';
const made = (name: string, options: string[], picture = PICTURE) =>
  makeFile({
    file: `${name}.mp4`,
    steps: [
      [
        '-f',
        'lavfi',
        '-i',
        picture,
        '-c:v',
        'libx264',
        '-preset',
        'ultrafast',
        '-pix_fmt',
        'yuv420p',
        ...options,
        '-movflags',
        '+faststart',
        '%out',
      ],
    ],
  });

/** What the quality of `made` is, taken for a rendition of `source` in one segment of 50 frames. */
async function measure(source: string, rendition: string) {
  const size = { name: '240p', kind: 'video', width: 320, height: 180 } as PlannedRendition;
  const plan = {
    container: 'mov',
    grid: gridOf({ num: 25, den: 1 }),
    zeroSeconds: 0,
    video: { streamIndex: 0, zeroTicks: 0, deinterlace: false, holdEnd: 0, holdStart: false },
    borders: [0, 50],
    renditions: [size],
  } as unknown as Plan;
  const served = await Promise.all([source, rendition].map((file) => serveFolder(path.dirname(file))));
  try {
    const [from, of] = [source, rendition].map((file, i) => `${served[i]!.url}/${path.basename(file)}`) as [
      string,
      string,
    ];
    const metric = await qualityMetric('ffmpeg');
    const run = qualityRun(plan, {
      source: from,
      seekSeconds: null,
      segment: 0,
      metric,
      renditions: [{ rendition: size, source: of }],
    });
    const { stderr } = await runTool('ffmpeg', run, { limitMs: 30_000 });
    const score = readScores(stderr, 1, metric)?.[0];
    if (!score) throw new Error(`no score: ${stderr}`);
    return { metric, renditions: [{ name: '240p' as const, ...score }] };
  } finally {
    await Promise.all(served.map((server) => server.close()));
  }
}

const verdict = (result: Awaited<ReturnType<typeof measure>>) =>
  verdictOf('a', [{ kind: 'quality', status: 'done', result }], FLOOR);

describe('S1-07 the quality of a rendition', { timeout: 60_000 }, () => {
  it('is near the best of what was encoded well, and below the floor of what was not', async () => {
    const source = await made('source', ['-crf', '10']);
    const good = await measure(source, await made('good', ['-crf', '20']));
    expect(good.renditions[0]!.ssim).toBeGreaterThan(0.95);
    expect(verdict(good)).toMatchObject({ belowFloor: null, warnings: [] });
    const poor = await measure(
      source,
      await made('poor', ['-vf', 'scale=40:-2,scale=320:180', '-crf', '51']),
    );
    expect(verdict(poor).warnings).toEqual([
      { code: 'quality_below_floor', message: expect.stringContaining('240p (') },
    ]);
  });

  it('is bad when the pictures are those of another time: one frame late is seen, a second is below the floor', async () => {
    const source = await made('source', ['-crf', '10']);
    const right = await measure(source, await made('right', ['-crf', '10']));
    const late = (seconds: string) =>
      `testsrc2=s=320x180:r=25:d=4,trim=start=${seconds}:duration=2,setpts=PTS-STARTPTS`;
    const one = await measure(source, await made('late', ['-crf', '10'], late('0.04')));
    expect(one.renditions[0]!.psnr).toBeLessThan(right.renditions[0]!.psnr! - 6);
    const many = await measure(source, await made('later', ['-crf', '10'], late('1')));
    expect(verdict(many).belowFloor).not.toBeNull();
  });

  it('is read as VMAF where ffmpeg has it, and the same pictures have a number too', () => {
    const log = [
      '[libvmaf@r0 @ 0x5581] VMAF score: 93.271204',
      '[ssim@r1 @ 0x5582] SSIM Y:1.000000 (inf) U:1.0 (inf) V:1.0 (inf) All:1.000000 (inf)',
      '[psnr@r1 @ 0x5583] PSNR y:inf u:inf v:inf average:inf min:inf max:inf',
    ].join('\n');
    expect(readScores(log, 1, 'vmaf')).toEqual([{ vmaf: 93.271204, ssim: null, psnr: null }]);
    expect(readScores(log, 2, 'ssim_psnr')).toBeNull();
    expect(readScores(log.replaceAll('@r1', '@r0'), 1, 'ssim_psnr')).toEqual([
      { vmaf: 93.271204, ssim: 1, psnr: 100 },
    ]);
  });

  it('is that of samples which are spread over the whole video', () => {
    expect(sampledSegments(100, 3)).toEqual([16, 50, 83]);
    expect(sampledSegments(2, 3)).toEqual([0, 1]);
    expect(sampledSegments(10, 0)).toEqual([]);
    expect(sampledSegments(0, 3)).toEqual([]);
  });

  it('a task that failed is a warning, and what the others have made counts', () => {
    const failed = { status: 'failed', code: 'poster_failed', message: 'There is no poster.' } as const;
    const found = verdictOf(
      'a',
      [
        { kind: 'poster', ...failed },
        { kind: 'storyboard', status: 'done', result: { name: 's.vtt', sprite: 's.jpg', tiles: 1 } },
        { kind: 'download', status: 'done', result: { rendition: '720p', name: 'd.mp4', bytes: 9 } },
      ],
      FLOOR,
    );
    expect(found).toEqual({
      poster: null,
      storyboard: '/media/a/s.vtt',
      quality: null,
      downloads: [{ name: '720p', url: '/media/a/720p/d.mp4', bytes: 9 }],
      warnings: [{ code: 'poster_failed', message: 'There is no poster.' }],
      belowFloor: null,
    });
  });
});

describe('a storyboard', () => {
  const source = (count: number, seconds: number) => ({
    width: 426,
    height: 240,
    timescale: 12_800,
    frameTicks: 512,
    segments: Array.from({ length: count }, (_, index) => ({
      index,
      startTicks: index * seconds * 12_800,
      durationTicks: seconds * 12_800,
    })),
  });

  it.each([
    [1, 0.04],
    [1, 4],
    [3, 4],
    [99, 4],
    [101, 4],
    [900, 4],
    [43_200, 1],
  ])(
    'of %i segments of %d s has at most 100 tiles, and its cues cover all of it without a gap',
    (count, seconds) => {
      const storyboard = planStoryboard(source(count, seconds), 100);
      const cues = readStoryboard(storyboardVtt(storyboard, 's.jpg'));
      expect(cues.length).toBe(storyboard.times.length);
      expect(cues.length).toBeLessThanOrEqual(100);
      expect(storyboard.segments.length).toBeLessThanOrEqual(100);
      expect(cues[0]?.start).toBe(0);
      expect(cues.at(-1)?.end).toBeCloseTo(count * seconds, 3);
      for (const [i, cue] of cues.entries()) {
        expect(cue.end).toBeGreaterThan(cue.start);
        if (i > 0) expect(cue.start).toBe(cues[i - 1]?.end);
        expect(cue.x + cue.width).toBeLessThanOrEqual(storyboard.columns * storyboard.tile.width);
        expect(cue.y + cue.height).toBeLessThanOrEqual(storyboard.rows * storyboard.tile.height);
      }
      if (count > 50) expect(cues.length).toBeGreaterThan(50);
    },
  );
});
