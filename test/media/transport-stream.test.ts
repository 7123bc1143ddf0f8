import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cutAudio,
  cutVideo,
  fitsTs,
  readTrack,
  type SegmentSink,
  segmentToTs,
  subtitlesForTs,
  TS_ORIGIN,
} from '#media';
import { mustRun } from '../clips/run.js';
import { readTransportStream } from '../verify/transport-stream.js';

const FLAGS = 'frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer';

interface Cmaf {
  init: Buffer;
  segments: Buffer[];
}

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'sluice-ts-'));
});
afterAll(async () => {
  await rm(dir, { recursive: true, force: true });
});

const collect = (cmaf: Cmaf): SegmentSink => ({
  init: async (bytes) => {
    cmaf.init = bytes;
  },
  begin: async () => void cmaf.segments.push(Buffer.alloc(0)),
  write: async (bytes) =>
    void cmaf.segments.push(Buffer.concat([cmaf.segments.pop() ?? Buffer.alloc(0), bytes])),
  end: async () => undefined,
});

/** Seconds of pictures with B-frames, cut each second. */
async function pictures(rate: number, seconds = 3): Promise<Cmaf> {
  const made = await mustRun('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', `testsrc2=s=160x96:r=${rate}:d=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'superfast', '-bf', '2', '-g', String(rate)],
    ...['-x264-params', 'scenecut=0', '-movflags', FLAGS, '-use_editlist', '0'],
    ...['-video_track_timescale', String(rate * 1024), '-f', 'mp4', 'pipe:1'],
  ]);
  const cmaf: Cmaf = { init: Buffer.alloc(0), segments: [] };
  const borders = Array.from({ length: seconds + 1 }, (_, i) => i * rate);
  await cutVideo(
    Readable.from([made.stdout]),
    { firstSegment: 0, borders, frameTicks: 1024, fragments: 'one', skipFrames: 0 },
    collect(cmaf),
  );
  return cmaf;
}

async function sound(): Promise<Cmaf> {
  const made = await mustRun('ffmpeg', [
    ...['-v', 'error', '-f', 'lavfi', '-i', 'anoisesrc=r=48000:a=0.2:seed=5:d=4', '-c:a', 'aac'],
    ...['-movflags', FLAGS, '-f', 'mp4', 'pipe:1'],
  ]);
  const cmaf: Cmaf = { init: Buffer.alloc(0), segments: [] };
  await cutAudio(
    Readable.from([made.stdout]),
    { firstSegment: 0, borders: [0, 47, 94, 95, 180], frameTicks: 1024, dropFrames: 1 },
    collect(cmaf),
  );
  return cmaf;
}

async function toTs({ init, segments }: Cmaf, pieces = 4096): Promise<Buffer[]> {
  const track = readTrack(init);
  const made: Buffer[] = [];
  // In no order, as workers make them.
  for (let index = segments.length - 1; index >= 0; index--) {
    const bytes = segments[index] as Buffer;
    const parts: Buffer[] = [];
    for (let at = 0; at < bytes.length; at += pieces) parts.push(bytes.subarray(at, at + pieces));
    const out: Buffer[] = [];
    for await (const part of segmentToTs(Readable.from(parts), track, index)) out.push(part);
    made[index] = Buffer.concat(out);
  }
  return made;
}

/** Presentation time after `zero`, in tenths of milliseconds, and digest, of each decoded frame. */
async function decoded(name: string, bytes: Buffer[], zero = 0): Promise<{ time: number; digest: string }[]> {
  const file = path.join(dir, name);
  await writeFile(file, Buffer.concat(bytes));
  const { stdout, stderr } = await mustRun('ffmpeg', [
    ...['-v', 'warning', '-xerror', '-copyts', '-i', file],
    ...['-map', '0', '-fps_mode', 'passthrough', '-enc_time_base', '-1', '-f', 'framemd5', 'pipe:1'],
  ]);
  expect(stderr).toBe('');
  const lines = stdout.toString().trim().split('\n');
  const [num = 1, den = 1] =
    (lines.find((line) => line.startsWith('#tb')) ?? '').match(/\d+/g)?.slice(1).map(Number) ?? [];
  return lines
    .filter((line) => !line.startsWith('#'))
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .map((cells) => ({
      time: Math.round(((Number(cells[2]) * num) / den - zero) * 10_000),
      digest: cells[5] ?? '',
    }));
}

describe('a segment as MPEG-TS', () => {
  it('S0-11 has the frames of the CMAF segment, at the same times, and follows its neighbours without a break', async () => {
    const cmaf = await pictures(25);
    const ts = await toTs(cmaf);
    const read = readTransportStream(ts);
    expect(read.problems).toEqual([]);
    expect(read.streamType).toBe(0x1b);
    expect(read.pes).toHaveLength(75);
    expect(read.pes.map(({ random }) => random)).toEqual(read.pes.map((_, i) => i % 25 === 0));
    for (const { data } of read.pes) expect(data.subarray(0, 6).toString('hex')).toBe('0000000109f0');
    expect(Math.min(...read.pes.map(({ pts }) => pts))).toBe(TS_ORIGIN);

    const [ours, theirs] = [
      await decoded('p.ts', ts, TS_ORIGIN / 90_000),
      await decoded('p.mp4', [cmaf.init, ...cmaf.segments]),
    ];
    expect(ours).toHaveLength(75);
    expect(ours.map(({ digest }) => digest)).toEqual(theirs.map(({ digest }) => digest));
    expect(ours.map(({ time }) => time)).toEqual(theirs.map(({ time }) => time));
  });

  it('S0-11 sound has the same samples at the same times, a segment of one frame included', async () => {
    const cmaf = await sound();
    const ts = await toTs(cmaf);
    const read = readTransportStream(ts);
    expect(read.problems).toEqual([]);
    expect(read.streamType).toBe(0x0f);
    expect(read.pes[0]?.pts).toBe(TS_ORIGIN);
    const [ours, theirs] = [
      await decoded('s.ts', ts, TS_ORIGIN / 90_000),
      await decoded('s.mp4', [cmaf.init, ...cmaf.segments]),
    ];
    expect(ours.map(({ digest }) => digest)).toEqual(theirs.map(({ digest }) => digest));
    expect(ours.map(({ time }) => time)).toEqual(theirs.map(({ time }) => time));
  });

  it('S0-15 is the same bytes however it was read, and each can be decoded alone', async () => {
    const cmaf = await pictures(25);
    const digest = (segments: Buffer[]) => createHash('sha256').update(Buffer.concat(segments)).digest('hex');
    const ts = await toTs(cmaf);
    expect(digest(await toTs(cmaf, 7))).toBe(digest(ts));
    expect(await decoded('one.ts', [ts[1] as Buffer])).toHaveLength(25);
  });

  it('S0-11 a clock reference comes every 100 ms, however far apart frames are, and times wrap after 26 hours', async () => {
    const slow = await pictures(4);
    expect(readTransportStream(await toTs(slow)).problems).toEqual([]);

    const track = readTrack(slow.init);
    const late = { ...track, mediaTime: track.mediaTime - (2 ** 33 / 90_000) * track.timescale };
    const out: Buffer[] = [];
    for await (const part of segmentToTs(Readable.from([slow.segments[0]]), late, 0)) out.push(part);
    expect(readTransportStream([Buffer.concat(out)])).toEqual(
      readTransportStream([(await toTs(slow))[0] as Buffer]),
    );
  });

  it('S4-05 what is not what it says is refused, and only H.264 and AAC-LC are taken', async () => {
    const cmaf = await pictures(25, 1);
    const [whole] = cmaf.segments as [Buffer];
    const broken = Buffer.from(whole);
    broken.writeUInt32BE(0x7fffffff, whole.indexOf('mdat') + 4);
    const cases: [Buffer, RegExp][] = [
      [whole.subarray(0, -1), /ended inside a box/],
      [Buffer.alloc(0), /without frames/],
      [broken, /longer than its picture/],
    ];
    for (const [bytes, message] of cases) {
      await expect(toTs({ init: cmaf.init, segments: [bytes] })).rejects.toThrow(message);
    }
    expect(['avc1.64001f', 'mp4a.40.2'].every(fitsTs)).toBe(true);
    expect(['av01.0.04M.08', 'hvc1.1.6.L93.B0', 'mp4a.40.5', 'mp4a.40.29', 'ec-3'].some(fitsTs)).toBe(false);
  });

  it('S0-11 text says where the video’s 0 is on the clock of the segments', () => {
    const text = 'WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n\n00:00:01.000 --> 00:00:02.000\nHi\n';
    expect(subtitlesForTs(Buffer.from(text)).toString()).toBe(
      text.replace('MPEGTS:0', `MPEGTS:${TS_ORIGIN}`),
    );
  });
});
