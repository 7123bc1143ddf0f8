import type { Frame, Thumbnail } from './frames.js';

export interface Rate {
  num: number;
  den: number;
}

const few = (problems: string[]) =>
  problems.length <= 5
    ? problems
    : [...problems.slice(0, 5), `… and ${problems.length - 5} more of this kind`];

/** Frames stand on one grid: each one frame's distance after the one before. `rate` in frames per second. */
export function checkGrid(name: string, frames: { time: number }[], rate: Rate): string[] {
  const start = frames[0]?.time ?? 0;
  return few(
    frames.flatMap(({ time }, index) => {
      const expected = start + (index * rate.den) / rate.num;
      return Math.abs(time - expected) <= 0.0011
        ? []
        : [
            `${name}: frame ${index} is shown at ${time.toFixed(4)} s, the grid says ${expected.toFixed(4)} s`,
          ];
    }),
  );
}

/** For a source of constant rate: its frames, each once, in order; `held`: the last one stays for some more. */
export function checkEachOnce(name: string, all: Frame[], source: Frame[], held = false): string[] {
  const problems: string[] = [];
  const last = source.at(-1)?.number;
  const surplus = held ? all.slice(source.length).findIndex((frame) => frame.number !== last) : -1;
  if (surplus >= 0) problems.push(`${name}: what is held at the end is not the last frame of the source`);
  const frames = held ? all.slice(0, source.length) : all;
  if (frames.length !== source.length)
    problems.push(`${name} has ${frames.length} frames, the source ${source.length}`);
  const seen = new Map<number, number>();
  for (const { number } of frames) if (number !== null) seen.set(number, (seen.get(number) ?? 0) + 1);
  for (const { number } of source) {
    const times = number === null ? 1 : (seen.get(number) ?? 0);
    if (times !== 1) problems.push(`${name}: frame ${number} of the source is there ${times} times`);
  }
  const at = frames.findIndex((frame, index) => frame.number !== source[index]?.number);
  if (at >= 0) {
    problems.push(
      `${name}: place ${at} shows ${frames[at]?.number ?? 'no number that can be read'}, ${source[at]?.number} expected`,
    );
  }
  return few(problems);
}

/**
 * For a source of variable rate: at each instant of the grid stands the frame that the source shows
 * then, give or take one step of the grid, and none comes back.
 */
export function checkFollows(name: string, frames: Frame[], source: Frame[], rate: Rate): string[] {
  const problems: string[] = [];
  const step = rate.den / rate.num;
  const origin = source[0]?.time ?? 0;
  const begin = frames[0]?.time ?? 0;
  let last = -1;
  for (const [index, { time, number }] of frames.entries()) {
    if (number === null) {
      problems.push(`${name}: frame ${index} shows no number that can be read`);
      continue;
    }
    if (number < last) problems.push(`${name}: frame ${index} shows ${number} after ${last}`);
    last = number;
    const place = source.findIndex((frame) => frame.number === number);
    const from = (source[place]?.time ?? Number.NaN) - origin - 1.5 * step;
    const to = (source[place + 1]?.time ?? Number.POSITIVE_INFINITY) - origin + 1.5 * step;
    const now = time - begin;
    if (!(now >= from && now <= to))
      problems.push(`${name}: frame ${number} of the source is shown at ${now.toFixed(3)} s`);
  }
  const missing = source.length > 0 && frames.at(-1)?.number !== source.at(-1)?.number;
  if (missing)
    problems.push(
      `${name} ends with frame ${frames.at(-1)?.number}, the source with ${source.at(-1)?.number}`,
    );
  return few(problems);
}

/** Mean difference of gray levels, 0–255, up to which two thumbnails are the same picture encoded twice. */
const SAME_PICTURE = 10;

/** For videos that nobody numbered: the pictures of the source, in order, none left out. */
export function checkSamePictures(name: string, frames: Thumbnail[], source: Thumbnail[]): string[] {
  const problems: string[] = [];
  // The last frame's length is a guess in containers that do not store it.
  if (Math.abs(frames.length - source.length) > 1) {
    problems.push(`${name} has ${frames.length} frames, the source ${source.length}`);
  }
  for (const [index, frame] of frames.entries()) {
    const expected = source[index];
    if (!expected) continue;
    const apart = difference(frame.pixels, expected.pixels);
    if (apart > SAME_PICTURE)
      problems.push(`${name}: frame ${index} is not the source's (${apart.toFixed(1)} levels apart)`);
  }
  return few(problems);
}

function difference(a: Buffer, b: Buffer): number {
  let sum = 0;
  for (let place = 0; place < a.length; place++) sum += Math.abs((a[place] ?? 0) - (b[place] ?? 0));
  return sum / Math.max(1, a.length);
}
