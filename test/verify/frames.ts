import { COUNTER_BITS } from '../clips/picture.js';
import { run } from '../clips/run.js';

export interface Frame {
  /** Presentation time in seconds. */
  time: number;
  /** The number on the picture (test/clips/picture.ts); null where it cannot be read: blended, turned, broken. */
  number: number | null;
}

export interface Decoded<F> {
  frames: F[];
  /** What ffmpeg complained of: every error, and warnings about times. Empty is good. */
  complaints: string[];
}

/** Times are read in this unit; it is a multiple of every usual frame rate. */
const CLOCK = 90_000;
/** A block is black below and white above the middle by this much of 0–255. */
const MARGIN = 40;
const ABOUT_TIME =
  /timestamp|monoton|discontinu|\bdts\b|\bpts\b|invalid|corrupt|missing|concealing|decode_slice/i;

export function complaintsOf(stderr: string): string[] {
  return stderr
    .split('\n')
    .filter(
      (line) => /\[(error|fatal|panic)\]/.test(line) || (line.includes('[warning]') && ABOUT_TIME.test(line)),
    )
    .map((line) => line.trim());
}

/** Decodes a file or URL's video; `filter` makes each frame gray pixels, `bytes` of them. */
async function decode(
  input: string,
  filter: string,
  bytes: number,
): Promise<Decoded<{ time: number; pixels: Buffer }>> {
  const graph = `[0:v:0]${filter},format=gray,settb=1/${CLOCK},split[pixels][times]`;
  const output = ['-fps_mode', 'passthrough', '-enc_time_base', `1:${CLOCK}`];
  const result = await run('ffmpeg', [
    ...[
      '-nostdin',
      '-loglevel',
      'level+warning',
      '-xerror',
      '-copyts',
      '-i',
      input,
      '-filter_complex',
      graph,
    ],
    ...['-map', '[pixels]', ...output, '-f', 'rawvideo', 'pipe:1'],
    ...['-map', '[times]', ...output, '-f', 'framecrc', 'pipe:3'],
  ]);
  const complaints = complaintsOf(result.stderr);
  if (result.code !== 0)
    complaints.push(`ffmpeg ended with ${result.code}: ${result.stderr.trim().slice(-500)}`);
  const times = [...result.third.matchAll(/^\d+,\s*-?\d+,\s*(-?\d+),/gm)].map(
    (match) => Number(match[1]) / CLOCK,
  );
  const frames = times.map((time, index) => ({
    time,
    pixels: result.stdout.subarray(index * bytes, (index + 1) * bytes),
  }));
  return { frames, complaints };
}

/** Every frame of the first video stream with the number on it; throws when ffmpeg complains. */
export async function readFrames(input: string): Promise<Frame[]> {
  const { frames, complaints } = await decodeNumbers(input);
  if (complaints.length > 0) throw new Error(`${input} does not decode:\n${complaints.join('\n')}`);
  return frames;
}

export async function decodeNumbers(input: string): Promise<Decoded<Frame>> {
  const columns = COUNTER_BITS * 3;
  // The middle half of the strip, three columns a block, of which the middle one counts.
  const filter = `crop=iw:ih/16:0:ih/32:exact=1,scale=${columns}:1:flags=area`;
  const { frames, complaints } = await decode(input, filter, columns);
  return { frames: frames.map(({ time, pixels }) => ({ time, number: numberOf(pixels) })), complaints };
}

function numberOf(pixels: Buffer): number | null {
  let number = 0;
  for (let bit = 0; bit < COUNTER_BITS; bit++) {
    const level = pixels[bit * 3 + 1] ?? 128;
    if (Math.abs(level - 128) < MARGIN) return null;
    if (level > 128) number += 2 ** bit;
  }
  return number;
}

export interface Thumbnail {
  time: number;
  pixels: Buffer;
}

/** For videos that nobody numbered: each frame as a picture of 16 × 12 gray pixels. */
export function decodeThumbnails(input: string, before = ''): Promise<Decoded<Thumbnail>> {
  return decode(input, `${before}scale=16:12:flags=area`, 16 * 12);
}
