import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { cutAudio, cutVideo, parseFragment, type SegmentSink } from '#media';

const run = promisify(execFile);
const FLAGS = 'frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer';

/** 3 s at 25 frames a second with a key frame every second. */
async function fragmentedVideo(): Promise<Buffer> {
  const { stdout } = await run(
    'ffmpeg',
    [
      ...[
        '-v',
        'error',
        '-f',
        'lavfi',
        '-i',
        'testsrc2=s=128x96:r=25:d=3',
        '-c:v',
        'libx264',
        '-preset',
        'superfast',
        '-bf',
        '2',
      ],
      ...[
        '-g',
        '25',
        '-x264-params',
        'scenecut=0',
        '-movflags',
        FLAGS,
        '-use_editlist',
        '0',
        '-video_track_timescale',
        '12800',
      ],
      ...['-f', 'mp4', 'pipe:1'],
    ],
    { encoding: 'buffer', maxBuffer: 1e8 },
  );
  return stdout;
}

class Collected implements SegmentSink {
  initBytes: Buffer = Buffer.alloc(0);
  segments: { index: number; bytes: Buffer; start: number; duration: number }[] = [];
  private open: { index: number; parts: Buffer[] } = { index: -1, parts: [] };

  async init(bytes: Buffer): Promise<void> {
    this.initBytes = bytes;
  }
  async begin(index: number): Promise<void> {
    this.open = { index, parts: [] };
  }
  async write(bytes: Buffer): Promise<void> {
    this.open.parts.push(Buffer.from(bytes));
  }
  async end(times: { start: number; duration: number }): Promise<void> {
    this.segments.push({ index: this.open.index, bytes: Buffer.concat(this.open.parts), ...times });
  }
}

/** The same bytes in pieces of every size, as sockets give them. */
function* pieces(data: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < data.length; at += size) yield data.subarray(at, at + size);
}

const cut = {
  firstSegment: 7,
  borders: [175, 200, 225, 250],
  frameTicks: 512,
  fragments: 'one' as const,
  skipFrames: 0,
};

describe('the video cutter', () => {
  it('S0-10 ends a segment when its fragment ends, with the plan’s decode times, however the bytes arrive', async () => {
    const data = await fragmentedVideo();
    const digests = new Set<string>();
    for (const size of [1, 7, 1000, data.length]) {
      const sink = new Collected();
      await cutVideo(Readable.from(pieces(data, size)), cut, sink);
      expect(sink.segments.map(({ index, start, duration }) => [index, start, duration])).toEqual([
        [7, 175 * 512, 25 * 512],
        [8, 200 * 512, 25 * 512],
        [9, 225 * 512, 25 * 512],
      ]);
      for (const { bytes, start } of sink.segments) {
        const fragment = parseFragment(bytes.subarray(0, bytes.readUInt32BE(0)));
        expect(fragment.decodeTime).toBe(BigInt(start));
        expect(bytes.toString('latin1', 4, 8)).toBe('moof');
      }
      digests.add(
        createHash('sha256')
          .update(Buffer.concat(sink.segments.map((s) => s.bytes)))
          .digest('hex'),
      );
    }
    expect(digests.size).toBe(1);
  });

  it('joins fragments into one segment for a copied rung, and drops those of stored segments', async () => {
    const sink = new Collected();
    const data = await fragmentedVideo();
    await cutVideo(
      Readable.from([data]),
      { ...cut, firstSegment: 1, borders: [25, 75], fragments: 'many', skipFrames: 25 },
      sink,
    );
    expect(sink.segments).toHaveLength(1);
    expect(sink.segments[0]).toMatchObject({ index: 1, start: 25 * 512, duration: 50 * 512 });
  });

  it.each([
    ['more frames than planned', { ...cut, borders: [175, 200, 225] }, /after the planned end/],
    ['fewer frames than planned', { ...cut, borders: [175, 200, 225, 250, 275] }, /ended at frame 250/],
    [
      'a border where no key frame is',
      { ...cut, borders: [175, 190, 250] },
      /ends at frame 200, planned is 190/,
    ],
    ['frames of another length', { ...cut, frameTicks: 511 }, /uneven/],
  ])('S0-16 refuses %s', async (_, wrong, message) => {
    await expect(cutVideo(Readable.from([await fragmentedVideo()]), wrong, new Collected())).rejects.toThrow(
      message,
    );
  });

  it.each([0.3, 0.5, 0.9])(
    'S0-16 refuses a stream that breaks off after %f of its bytes, and hands no half segment on',
    async (part) => {
      const data = await fragmentedVideo();
      const sink = new Collected();
      await expect(
        cutVideo(Readable.from([data.subarray(0, Math.floor(data.length * part))]), cut, sink),
      ).rejects.toThrow();
      const whole = new Collected();
      await cutVideo(Readable.from([data]), cut, whole);
      sink.segments.forEach((segment, i) => {
        expect(segment.bytes.equals(whole.segments[i]?.bytes ?? Buffer.alloc(0))).toBe(true);
      });
      expect(sink.segments.length).toBeLessThan(3);
    },
  );

  it('S0-16 hands no init segment on for a run that was stopped inside its first segment', async () => {
    const sink = new Collected();
    const stopped = { ...cut, borders: [175, 225, 275] };
    await expect(cutVideo(Readable.from([await fragmentedVideo()]), stopped, sink)).rejects.toThrow(
      /ends at frame 200/,
    );
    expect(sink.initBytes).toHaveLength(0);
  });

  it('refuses what is not MP4 instead of holding it in memory', async () => {
    await expect(
      cutVideo(Readable.from([Buffer.alloc(1 << 20, 0xff)]), cut, new Collected()),
    ).rejects.toThrow(/box of/);
  });
});

describe('the audio cutter', () => {
  async function fragmentedAudio(): Promise<Buffer> {
    const { stdout } = await run(
      'ffmpeg',
      [
        ...[
          '-v',
          'error',
          '-f',
          'lavfi',
          '-i',
          'sine=f=440:r=48000',
          '-af',
          'atrim=end_sample=102400',
          '-c:a',
          'aac',
          '-b:a',
          '64k',
        ],
        ...[
          '-movflags',
          'empty_moov+default_base_moof+skip_trailer',
          '-frag_duration',
          '500000',
          '-use_editlist',
          '0',
          '-f',
          'mp4',
          'pipe:1',
        ],
      ],
      { encoding: 'buffer', maxBuffer: 1e8 },
    );
    return stdout;
  }

  it('drops the priming, counts from 0 and cuts at whole frames', async () => {
    const sink = new Collected();
    await cutAudio(
      Readable.from([await fragmentedAudio()]),
      { firstSegment: 0, borders: [0, 47, 94, 100], frameTicks: 1024, dropFrames: 1 },
      sink,
    );
    expect(sink.segments.map(({ start, duration }) => [start, duration])).toEqual([
      [0, 47 * 1024],
      [47 * 1024, 47 * 1024],
      [94 * 1024, 6 * 1024],
    ]);
    const first = parseFragment(sink.segments[0]!.bytes.subarray(0, sink.segments[0]!.bytes.readUInt32BE(0)));
    expect(first.decodeTime).toBe(0n);
    expect(first.samples).toHaveLength(47);
  });

  it('S0-15 gives the same segments when it goes on in the middle', async () => {
    const data = await fragmentedAudio();
    const [whole, resumed] = [new Collected(), new Collected()];
    await cutAudio(
      Readable.from([data]),
      { firstSegment: 0, borders: [0, 47, 94, 100], frameTicks: 1024, dropFrames: 1 },
      whole,
    );
    await cutAudio(
      Readable.from([data]),
      { firstSegment: 1, borders: [47, 94, 100], frameTicks: 1024, dropFrames: 48 },
      resumed,
    );
    expect(resumed.segments.map((s) => s.bytes.toString('hex'))).toEqual(
      whole.segments.slice(1).map((s) => s.bytes.toString('hex')),
    );
  });
});
