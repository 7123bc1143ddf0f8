import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { audioRun, audioStart, cutAudio, type Plan, type SegmentSink } from '#media';

const run = promisify(execFile);
/** In AAC frames: segments of about a second. */
const BORDERS = [0, 47, 94, 141, 188];
const planOf = (audioBorders: number[]) =>
  ({
    container: 'mov',
    zeroSeconds: 0,
    audio: { streamIndex: 0, channels: 2, sampleRate: 48_000, bitRate: 128_000 },
    audioBorders,
  }) as unknown as Plan;

/** Init segment and segments, as hex. */
async function cut(
  file: string,
  firstSegment: number,
  endSegment: number,
  allBorders = BORDERS,
): Promise<string[]> {
  const made: Buffer[][] = [];
  const sink: SegmentSink = {
    init: async (bytes) => void made.push([bytes]),
    begin: async () => void made.push([]),
    write: async (bytes) => void made.at(-1)?.push(Buffer.from(bytes)),
    end: async () => undefined,
  };
  const borders = allBorders.slice(firstSegment, endSegment + 1);
  const { dropFrames } = audioStart(planOf(allBorders), firstSegment);
  const stream = Readable.from([await readFile(file)]);
  await cutAudio(stream, { firstSegment, borders, frameTicks: 1024, dropFrames }, sink);
  return made.map((parts) => Buffer.concat(parts).toString('hex'));
}

it('S0-15 audio that is made in two runs is byte for byte that of one', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-audio-'));
  try {
    const source = join(dir, 'source.mp4');
    // Clicks in noise: the encoder's windows and its rate control have something to decide.
    const sound = 'anoisesrc=r=44100:a=0.2:seed=5:d=4,aeval=val(0)*(0.1+gt(mod(t\\,0.25)\\,0.22))';
    await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', sound, '-c:a', 'aac', source]);
    const encode = async (endSegment: number) => {
      const target = join(dir, `${endSegment}.mp4`);
      const args = audioRun(planOf(BORDERS), source, target, endSegment);
      args[args.indexOf('-protocol_whitelist') + 1] = 'file';
      await run('ffmpeg', args);
      return target;
    };
    const [first, whole] = [await encode(1), await encode(4)];
    const all = await cut(whole, 0, 4);
    expect(all).toHaveLength(5);
    const [init, ...rest] = await cut(whole, 1, 4);
    expect([...(await cut(first, 0, 1)), ...rest]).toEqual(all);
    expect(init).toBe(all[0]);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

it('S0-15 audio that is resumed far from the start cannot be told from that of one run, across the seam', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-audio-'));
  try {
    const source = join(dir, 'source.mp4');
    const sound =
      'anoisesrc=r=44100:a=0.02:seed=5:d=30[n];sine=440:r=44100:d=30[s];[n][s]amix,aformat=channel_layouts=stereo';
    await run('ffmpeg', ['-v', 'error', '-f', 'lavfi', '-i', sound, '-c:a', 'aac', source]);
    const borders = [0, 500, 1000, 1250, 1406];
    const plan = planOf(borders);
    const encode = async (firstSegment: number) => {
      const target = join(dir, `${firstSegment}.mp4`);
      const args = audioRun(plan, source, target, 4, firstSegment);
      args[args.indexOf('-protocol_whitelist') + 1] = 'file';
      await run('ffmpeg', args);
      return target;
    };
    expect(audioStart(plan, 2).seekSeconds).not.toBeNull();
    const whole = await cut(await encode(0), 0, 4, borders);
    const resumed = await cut(await encode(2), 2, 4, borders);
    expect(resumed[0], 'the init segment').toBe(whole[0]);
    const decode = async (parts: string | string[]) => {
      const file = typeof parts === 'string' ? parts : join(dir, 'joined.mp4');
      if (typeof parts !== 'string') await writeFile(file, Buffer.from(parts.join(''), 'hex'));
      // In stereo as it was made: a mix down has another level.
      const args = ['-v', 'error', '-i', file, '-f', 's16le', '-ac', '2', '-ar', '48000', 'pipe:1'];
      const { stdout, stderr } = await run('ffmpeg', args, { encoding: 'buffer', maxBuffer: 1 << 27 });
      expect(stderr.toString()).toBe('');
      return new Int16Array(stdout.buffer, stdout.byteOffset, stdout.length / 2).filter(
        (_, i) => i % 2 === 0,
      );
    };
    const original = await decode(whole);
    const joined = await decode([...whole.slice(0, 3), ...resumed.slice(1)]);
    expect(joined.length).toBe(original.length);
    // Two encodes of one sound differ by what an encode loses: at the seam by no more than elsewhere.
    const seam = 1000 * 1024;
    const atSeam = difference(joined, original, seam - 2048, seam + 2048);
    const elsewhere = difference(joined, original, seam + 20_000, seam + 200_000);
    const level = difference(original, new Int16Array(original.length), seam - 2048, seam + 2048);
    expect(atSeam).toBeLessThan(elsewhere * 1.5);
    expect(elsewhere).toBeLessThan(level / 4);
    // And both say at every moment what the source says then: the encoder's priming is no part of either.
    const spoken = await decode(source);
    expect(difference(original, spoken, 48_000, 240_000)).toBeLessThan(level / 4);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** Root of the mean square of the difference. */
function difference(a: Int16Array, b: Int16Array, from: number, to: number): number {
  let sum = 0;
  for (let i = from; i < to; i++) sum += ((a[i] as number) - (b[i] as number)) ** 2;
  return Math.sqrt(sum / (to - from));
}
