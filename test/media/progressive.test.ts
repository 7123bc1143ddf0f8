import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { Movie, readFragmentHeads, type StoredFragment } from '#media';
import { makeFile } from '../clips/make.js';
import { mustRun } from '../clips/run.js';
import { boxes } from '../verify/boxes.js';

const FRAGMENTED = ['-movflags', 'frag_keyframe+empty_moov+default_base_moof', '-use_editlist', '0'];

/** A second of pictures in two fragments, as it stands in a segment: what comes before them, and they. */
async function tiny(): Promise<{ init: Buffer; segment: Buffer }> {
  const file = await makeFile({
    file: 'fragmented-second.mp4',
    steps: [
      [
        ...['-f', 'lavfi', '-i', 'testsrc2=s=64x48:r=25:d=1', '-c:v', 'libx264', '-preset', 'ultrafast'],
        ...['-g', '13', '-video_track_timescale', '12800', ...FRAGMENTED, '%out'],
      ],
    ],
  });
  const handle = await open(file);
  const bytes = await handle.readFile().finally(() => handle.close());
  const second = boxes(bytes).find(({ type }) => type === 'moof')!.start;
  return { init: bytes.subarray(0, second), segment: bytes.subarray(second) };
}

const headsOf = (segment: Buffer) =>
  readFragmentHeads(segment.length, async (start, end) => segment.subarray(start, end));

/** Fragments of 25 frames of a megabyte each, one every second. */
function large(seconds: number, timescale: number): StoredFragment[] {
  const size = 1_000_000;
  return Array.from({ length: seconds }, (_, second) => ({
    mediaSize: 25 * size,
    fragment: {
      moof: Buffer.alloc(0),
      decodeTime: BigInt(second * timescale),
      samples: Array.from({ length: 25 }, (_, i) => ({
        duration: timescale / 25,
        size,
        flags: i === 0 ? 0 : 0x10000,
        compositionOffset: 0,
      })),
    },
  }));
}

describe('a progressive MP4 from stored fragments', () => {
  it('of more than 4 GiB tells where each sample lies, to the last', async () => {
    const { init } = await tiny();
    const movie = new Movie([init]);
    for (const fragment of large(200, 12_800)) movie.addSegment([[fragment]]);
    const { parts, size } = movie.head();
    const head = Buffer.concat(parts);
    expect(size).toBe(head.length + 200 * 25_000_000);
    expect(size).toBeGreaterThan(2 ** 32);
    const dir = await mkdtemp(path.join(tmpdir(), 'sluice-large-'));
    try {
      const file = path.join(dir, 'large.mp4');
      const handle = await open(file, 'w');
      await handle.write(head);
      await handle.truncate(size).finally(() => handle.close());
      const { stdout } = await mustRun('ffprobe', [
        ...['-v', 'error', '-read_intervals', '199.5%', '-show_entries', 'packet=pts_time,pos,size'],
        ...['-of', 'csv=p=0', file],
      ]);
      const last = stdout.toString().trim().split('\n').at(-1);
      expect(last).toBe(`199.960000,1000000,${size - 1_000_000}`);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('reads of a segment only what stands before its media', async () => {
    const { segment } = await tiny();
    const padded = Buffer.concat(
      boxes(segment)
        .filter(({ type }) => type === 'moof' || type === 'mdat')
        .map(({ type, body }) => {
          const header = Buffer.alloc(8);
          header.write(type, 4, 'latin1');
          const content = type === 'mdat' ? Buffer.concat([body, Buffer.alloc(500_000)]) : body;
          header.writeUInt32BE(content.length + 8, 0);
          return Buffer.concat([header, content]);
        }),
    );
    let read = 0;
    const heads = await readFragmentHeads(padded.length, async (start, end) => {
      read += end - start;
      return padded.subarray(start, end);
    });
    expect(heads.map(({ fragment }) => fragment.samples.length)).toEqual([13, 12]);
    expect(padded.length).toBeGreaterThan(1_000_000);
    expect(read).toBeLessThan(50_000);
  });

  it('is refused where times do not go on, and where bytes are not those of the samples', async () => {
    const { init, segment } = await tiny();
    const heads = await headsOf(segment);
    expect(() => new Movie([init]).addSegment([heads.slice(1)])).toThrow('where 0 is to go on');
    const less = heads.map((one) => ({ ...one, mediaSize: one.mediaSize - 1 }));
    expect(() => new Movie([init]).addSegment([less])).toThrow('bytes of samples');
    for (const cut of [4, 20, segment.length - 1])
      await expect(headsOf(segment.subarray(0, cut))).rejects.toThrow(RangeError);
  });
});
