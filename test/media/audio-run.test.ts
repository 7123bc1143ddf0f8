import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';
import { audioRun, cutAudio, type Plan, type SegmentSink } from '#media';

const run = promisify(execFile);
/** In AAC frames: segments of about a second. */
const BORDERS = [0, 47, 94, 141, 188];
const plan = {
  container: 'mov',
  zeroSeconds: 0,
  audio: { streamIndex: 0, channels: 2, sampleRate: 48_000, bitRate: 128_000 },
  audioBorders: BORDERS,
} as unknown as Plan;

/** Init segment and segments, as hex. */
async function cut(file: string, firstSegment: number, endSegment: number): Promise<string[]> {
  const made: Buffer[][] = [];
  const sink: SegmentSink = {
    init: async (bytes) => void made.push([bytes]),
    begin: async () => void made.push([]),
    write: async (bytes) => void made.at(-1)?.push(Buffer.from(bytes)),
    end: async () => undefined,
  };
  const borders = BORDERS.slice(firstSegment, endSegment + 1);
  const stream = Readable.from([await readFile(file)]);
  await cutAudio(stream, { firstSegment, borders, frameTicks: 1024 }, sink);
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
      const args = audioRun(plan, source, target, endSegment);
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
