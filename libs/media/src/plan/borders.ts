import { frameTime, type Grid } from './grid.js';

/** The last piece joins its neighbour when it is shorter than this part of a segment. */
const SHORTEST_TAIL = 0.25;
/** With fewer frames an encoder has another delay than with more, and its init segment differs. */
const FEWEST_FRAMES = 4;
/** A border is taken at the first key frame that makes a copied segment this part of the wanted length. */
const COPY_FILL = 0.75;

/** First frame of each segment, and the frame count at the end: `borders[i]` to `borders[i + 1]` is segment i. */
export function gridBorders(grid: Grid, frames: number, segmentSeconds: number): number[] {
  const length = segmentFrames(grid, segmentSeconds);
  const borders: number[] = [];
  for (let frame = 0; frame < frames; frame += length) borders.push(frame);
  if (
    borders.length > 1 &&
    frames - (borders.at(-1) as number) < Math.max(FEWEST_FRAMES, length * SHORTEST_TAIL)
  )
    borders.pop();
  borders.push(frames);
  return borders;
}

/** Of what a decoder has been given so much may not have come out yet. */
const SETTLED_SECONDS = 1;

const segmentFrames = (grid: Grid, segmentSeconds: number) =>
  Math.max(FEWEST_FRAMES, Math.round((segmentSeconds * grid.fps.num) / grid.fps.den));

/**
 * The same while the end is not known: only segments that whatever follows cannot change, each with what a
 * decoder reads beyond it. `gridBorders` of more frames begins with them.
 */
export function openBorders(grid: Grid, frames: number, segmentSeconds: number): number[] {
  const length = segmentFrames(grid, segmentSeconds);
  const beyond = Math.max(
    FEWEST_FRAMES,
    length * SHORTEST_TAIL,
    (SETTLED_SECONDS * grid.fps.num) / grid.fps.den,
  );
  const borders = [0];
  while ((borders.at(-1) as number) + length + beyond <= frames)
    borders.push((borders.at(-1) as number) + length);
  return borders;
}

/** Whole seconds that no segment of such borders will exceed. */
export const openTargetDuration = (grid: Grid, segmentSeconds: number): number =>
  Math.max(1, Math.ceil(frameTime(grid, segmentFrames(grid, segmentSeconds) * (1 + SHORTEST_TAIL))));

/** Segment borders on the source's own key frames; `keyFrames` are frame numbers, the first is 0. */
export function keyFrameBorders(
  grid: Grid,
  frames: number,
  keyFrames: number[],
  segmentSeconds: number,
): number[] {
  const wanted = (segmentSeconds * COPY_FILL * grid.fps.num) / grid.fps.den;
  const borders = [0];
  for (const frame of keyFrames) {
    if (frame - (borders.at(-1) as number) >= wanted) borders.push(frame);
  }
  const tail = frames - (borders.at(-1) as number);
  if (borders.length > 1 && tail < wanted * SHORTEST_TAIL) borders.pop();
  borders.push(frames);
  return borders;
}

/** Whole seconds, at least every segment's rounded length (RFC 8216, 4.3.3.1). */
export function targetDuration(grid: Grid, borders: number[]): number {
  let longest = 0;
  for (let i = 1; i < borders.length; i++) {
    longest = Math.max(longest, frameTime(grid, (borders[i] as number) - (borders[i - 1] as number)));
  }
  return Math.max(1, Math.ceil(longest));
}

export const AAC_FRAME = 1024;

/** The same borders in AAC frames: each at the frame border nearest to the video's, the last at or after the end. */
export function audioBorders(grid: Grid, borders: number[], sampleRate: number): number[] {
  return borders.map((frame, i) => {
    const aacFrames = (frameTime(grid, frame) * sampleRate) / AAC_FRAME;
    return i === borders.length - 1 ? Math.max(1, Math.round(aacFrames)) : Math.round(aacFrames);
  });
}
