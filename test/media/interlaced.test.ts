import { expect, it } from 'vitest';
import { makeFile } from '../clips/make.js';
import { mustRun } from '../clips/run.js';
import { encodedLowest } from './made.js';

const [WIDTH, HEIGHT, FRAMES] = [256, 64, 20];
/** Columns that the bar moves on from one field to the next. */
const STEP = 4;
const BAR = 16;

/** A bar that moves 50 times a second, in fields: two of its places stand in each frame. */
const moving = (file: string, order: 'top' | 'bottom' | null, encode: string[]) => {
  const step = order ? STEP : STEP * 2;
  return makeFile({
    file,
    steps: [
      [
        ...['-f', 'lavfi', '-i'],
        [
          `color=s=${WIDTH}x${HEIGHT}:r=${order ? 50 : 25}:d=${FRAMES / 25},format=yuv420p`,
          `geq=lum='if(between(X\\,N*${step}\\,N*${step}+${BAR - 1})\\,235\\,16)':cb=128:cr=128`,
          ...(order ? [`tinterlace=interleave_${order}`] : []),
        ].join(','),
        ...encode,
        '%out',
      ],
    ],
  });
};

/** Where the bar's middle is in each frame, in columns. */
async function places(file: string): Promise<number[]> {
  const { stdout } = await mustRun('ffmpeg', [
    ...['-v', 'error', '-i', file, '-vf', `scale=${WIDTH}:1:flags=area,format=gray`, '-f', 'rawvideo', '-'],
  ]);
  return Array.from({ length: stdout.length / WIDTH }, (_, frame) => {
    let [sum, weight] = [0, 0];
    for (let x = 0; x < WIDTH; x++) {
      const light = Math.max(0, (stdout[frame * WIDTH + x] ?? 0) - 30);
      [sum, weight] = [sum + light * (x + 0.5), weight + light];
    }
    return sum / weight;
  });
}

const x264 = ['-c:v', 'libx264', '-preset', 'ultrafast', '-qp', '8'];
const fields = (top: 0 | 1) => ['-flags', '+ildct+ilme', '-top', String(top)];

it.each([
  ['H.264, top field first', 'top.mp4', 'top', [...x264, ...fields(1)], true],
  ['H.264, bottom field first', 'bottom.mkv', 'bottom', [...x264, ...fields(0)], true],
  [
    'MPEG-2 in a transport stream, top first',
    'top.ts',
    'top',
    ['-c:v', 'mpeg2video', '-q:v', '2', ...fields(1)],
    true,
  ],
  [
    'MPEG-4 in AVI, which only its frames say',
    'bottom.avi',
    'bottom',
    ['-c:v', 'mpeg4', '-q:v', '2', ...fields(0)],
    'flagged',
  ],
  ['the same, progressive', 'frames.avi', null, ['-c:v', 'mpeg4', '-q:v', '2'], 'flagged'],
] as const)(
  'S4 %s: each frame shows its first field’s instant, on the grid of the frames',
  async (...clip) => {
    const [, file, order, encode, deinterlace] = clip;
    await encodedLowest(await moving(file, order, [...encode]), async (made, plan) => {
      expect(plan.video.deinterlace).toBe(deinterlace);
      expect(plan.grid.fps).toEqual({ num: 25, den: 1 });
      const found = await places(made);
      expect(found).toHaveLength(FRAMES);
      found.forEach((place, frame) => {
        expect(Math.abs(place - (frame * 2 * STEP + BAR / 2)), `frame ${frame} at ${place}`).toBeLessThan(1);
      });
    });
  },
);
