import { createReadStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Codec, EncoderName } from '#contracts';
import type { SegmentSink } from '../cut/sink.js';
import { cutVideo } from '../cut/video-cutter.js';
import { codecsOf } from '../isobmff/codecs.js';
import type { PlannedEncoder } from '../plan/plan.js';
import { fragments, GLOBALS } from './command.js';
import { boundedMemory, deviceOptions, encodingOptions, muxingOf, uploadFilters } from './encoders.js';
import { runTool } from './supervised.js';

const LIMIT_MS = 20_000;
const MEMORY = 4 * 1024 ** 3;
/** Two segments of a few frames, at a size that every device takes. */
const [SIZE, RATE, BORDERS] = ['640x360', 25, [0, 6, 12]] as const;
const TICKS = 512;
const MAX_RATE = 1_000_000;
const SAMPLE_ENTRIES: Record<Codec, string> = { h264: 'avc1', hevc: 'hvc1', av1: 'av01' };

/**
 * Whether an encoder does here what a span asks of it: encoders of devices that are not there are listed
 * all the same, and some give no key frame where one is wanted. Rejects with what is wrong.
 */
export async function tryEncoder(ffmpegPath: string, codec: Codec, name: EncoderName): Promise<void> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-trial-'));
  const made = join(dir, 'made.mp4');
  try {
    await runTool(ffmpegPath, trialRun(name, made), { limitMs: LIMIT_MS, ...boundedMemory(name, MEMORY) });
    const cut = { firstSegment: 0, borders: [...BORDERS], frameTicks: TICKS, skipFrames: 0 };
    const stream = createReadStream(made);
    await cutVideo(stream, { ...cut, fragments: 'one' }, new Expecting(codec)).finally(() =>
      stream.destroy(),
    );
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

function trialRun(name: EncoderName, target: string): string[] {
  const [, middle, end] = BORDERS;
  const encoder: PlannedEncoder = { name, preset: 'veryfast', crf: 30, threads: 1 };
  const upload = uploadFilters(name);
  return [
    ...GLOBALS,
    ...deviceOptions(name),
    ...['-f', 'lavfi', '-i', `testsrc2=s=${SIZE}:r=${RATE},format=yuv420p${upload && `,${upload}`}`],
    ...['-frames:v', String(end), ...encodingOptions(encoder, { maxRate: MAX_RATE })],
    ...['-force_key_frames', `0,${(middle / RATE).toFixed(6)}`],
    ...[
      '-fps_mode',
      'passthrough',
      '-video_track_timescale',
      String(RATE * TICKS),
      ...fragments(muxingOf(name)),
    ],
    ...['-y', target],
  ];
}

class Expecting implements SegmentSink {
  constructor(private readonly codec: Codec) {}

  async init(bytes: Buffer): Promise<void> {
    const codecs = codecsOf(bytes);
    if (!codecs.startsWith(SAMPLE_ENTRIES[this.codec])) throw new Error(`it makes ${codecs}`);
  }
  async begin(): Promise<void> {}
  async write(): Promise<void> {}
  async end(): Promise<void> {}
}
