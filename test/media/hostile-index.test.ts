import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { indexTrack, parseFragment, readMoov, type SourceReader, trackTimes } from '#media';
import { makeFile } from '../clips/make.js';
import { Random, seedOfThisRun } from '../upload/property/random.js';
import { box, FRAMES, full, moovOf, TABLES, u32 } from './movie.js';

const TRACK = 1;
const FLIPPED_CASES = 1500;
const MIB = 1024 * 1024;

/** A source that counts what is asked of it. */
function sourceOf(bytes: Buffer): SourceReader & { asked: number; reads: number } {
  const source = {
    size: bytes.length,
    asked: 0,
    reads: 0,
    read: (start: number, end: number) => {
      source.asked += end - start;
      source.reads += 1;
      return Promise.resolve(bytes.subarray(start, end));
    },
  };
  return source;
}

/** Bytes that live on after `work`, as the process counts them. */
function kept(work: () => unknown): number {
  const held = () => {
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return heapUsed + arrayBuffers;
  };
  const before = held();
  work();
  return held() - before;
}

describe('an index that lies', () => {
  it('is read right when it does not', () => {
    expect(indexTrack(moovOf(), TRACK)).toMatchObject({ frames: FRAMES, startTicks: 0, frameTicks: 10 });
    expect(trackTimes(moovOf({ noReordering: true }), TRACK)).toEqual({
      timescale: 250,
      startTicks: 0,
      endTicks: FRAMES * 10,
    });
  });

  it.each(TABLES)('about the length of %s is given up before anything is held', (name) => {
    for (const count of [0xffffffff, 0x7fffffff, 0x40000001, 5_000_001]) {
      const moov = moovOf({ counts: { [name]: count } });
      let found: unknown;
      expect(kept(() => (found = indexTrack(moov, TRACK)))).toBeLessThan(8 * MIB);
      expect(found).toBeNull();
    }
  });

  it('about samples of one size each is held to a number of frames', () => {
    for (const count of [0xffffffff, 5_000_001]) {
      expect(indexTrack(moovOf({ fixedSize: 1, counts: { stsz: count } }), TRACK)).toBeNull();
    }
  });

  it.each([
    ['chunks in no order', { stsc: [[5, 1, 1]] }],
    ['chunks without samples', { stsc: [[1, 0, 1]] }],
    [
      'chunks that come twice',
      {
        stsc: [
          [1, 1, 1],
          [1, 1, 1],
        ],
      },
    ],
    ['times that are too few', { stts: [[1, 10]] }],
    ['a clock that stands still', { timescale: 0 }],
  ])('with %s is given up', (_, lies) => {
    expect(indexTrack(moovOf(lies), TRACK)).toBeNull();
  });

  it('is not looked for among boxes without end', async () => {
    const many = sourceOf(Buffer.concat(Array.from({ length: 5000 }, () => box('free'))));
    expect(await readMoov(many)).toBeNull();
    expect(many.reads).toBeLessThanOrEqual(1000);
    expect(
      indexTrack(Buffer.concat([box('moov', ...Array.from({ length: 20_000 }, () => box('free')))]), TRACK),
    ).toBeNull();
  });

  it.each([
    ['more than the file has', [0xfffffff0], 0],
    ['less than a header', [4], 0],
    ['more than 2^53', [1], 0xffffffff],
  ])('of a size that is %s is not read', async (_, [size], long) => {
    const start = Buffer.concat([u32(size as number), Buffer.from('moov'), u32(long), u32(long)]);
    const source = sourceOf(Buffer.concat([start, Buffer.alloc(64)]));
    expect(await readMoov(source)).toBeNull();
    expect(source.asked).toBeLessThanOrEqual(32);
  });
});

describe('a fragment that lies', () => {
  it('about its samples is refused before they are held', () => {
    const lie = (count: number) =>
      box('moof', box('traf', full('tfhd', u32(1)), full('tfdt', u32(0)), full('trun', u32(count))));
    expect(parseFragment(lie(3)).samples).toHaveLength(3);
    expect(kept(() => expect(() => parseFragment(lie(0xffffffff))).toThrow(RangeError))).toBeLessThan(
      8 * MIB,
    );
  });
});

const seed = seedOfThisRun();
const isNumber = (value: number) => Number.isFinite(value);

describe(`flipped bytes (SLUICE_TEST_SEED=${seed})`, () => {
  it('in an index end in numbers or in nothing, never in an exception', async () => {
    const real = await makeFile({
      file: 'flips.mp4',
      steps: [
        [
          ...['-f', 'lavfi', '-i', 'testsrc2=s=64x64:r=25:d=4', '-f', 'lavfi', '-i', 'sine=d=4'],
          ...[
            '-c:v',
            'libx264',
            '-preset',
            'ultrafast',
            '-bf',
            '2',
            '-pix_fmt',
            'yuv420p',
            '-c:a',
            'aac',
            '%out',
          ],
        ],
      ],
    });
    const moov = (await readMoov(sourceOf(await readFile(real)))) as Buffer;
    expect(indexTrack(moov, TRACK)).toMatchObject({ frames: 100 });
    const random = new Random(seed);
    let readable = 0;
    for (let i = 0; i < FLIPPED_CASES; i++) {
      const broken = Buffer.from(moov);
      for (let n = random.between(1, 6); n > 0; n--) {
        broken[random.between(8, broken.length - 1)] = random.between(0, 255);
      }
      const index = indexTrack(broken, TRACK);
      const times = trackTimes(broken, 2);
      if (index) {
        readable++;
        const { startTicks, endTicks, endOffset, keyTicks } = index;
        expect([startTicks, endTicks, endOffset, ...keyTicks].every(isNumber), `case ${i}`).toBe(true);
      }
      if (times) expect([times.startTicks, times.endTicks].every(isNumber), `case ${i}`).toBe(true);
      await readMoov(sourceOf(broken));
    }
    expect(readable).toBeGreaterThan(0);
  });
});
