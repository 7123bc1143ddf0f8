import { frameTime, type Grid } from './grid.js';

export interface SpanRange {
  firstSegment: number;
  segmentCount: number;
}

const MOST_SPANS = 200;
/** Of what is left a span takes at most such a part, so that those at the end are short again. */
const LEFT = 6;
/** How far a span may be from the wanted number of segments so that its start lies better. */
const SLACK = 0.25;

/**
 * Cuts the segments into spans of about the wanted length. A span's decoding begins at the last source key
 * frame at or before its first frame, so what lies between is decoded twice: of the borders near the
 * wanted one, the one with the least waste is taken. `keyFrames`: seconds, ascending.
 *
 * Where a start of the encoder costs much beside the encoding, spans may be `stretch` times as long while there is
 * much left, and come down to the wanted length towards the end: what is begun last must not be waited for long
 * (guided self-scheduling, Polychronopoulos and Kuck 1987).
 */
export function planSpans(
  grid: Grid,
  borders: number[],
  keyFrames: number[],
  seconds: number,
  stretch = 1,
): SpanRange[] {
  const segments = borders.length - 1;
  const perSegment = frameTime(grid, borders.at(-1) as number) / segments;
  const fewest = Math.ceil(segments / MOST_SPANS);
  const shortest = Math.max(1, Math.round(seconds / perSegment), fewest);
  const longest = Math.max(shortest, Math.floor((seconds * stretch) / perSegment));
  const spans: SpanRange[] = [];
  for (let first = 0; first < segments; ) {
    const rest = segments - first;
    const wanted = Math.max(shortest, Math.min(longest, Math.floor(rest / LEFT)));
    const slack = Math.floor(wanted * SLACK);
    const count = rest <= wanted + slack ? rest : bestCount(first, wanted, slack);
    spans.push({ firstSegment: first, segmentCount: count });
    first += count;
  }
  return spans;

  function bestCount(first: number, around: number, by: number): number {
    let best = around;
    let leastWaste = Number.POSITIVE_INFINITY;
    for (const count of candidates(around, by)) {
      const start = frameTime(grid, borders[first + count] as number);
      // What is decoded twice, for each segment that it buys.
      const waste = (start - keyFrameBefore(keyFrames, start)) / count;
      if (count >= fewest && waste < leastWaste - 1e-6) [best, leastWaste] = [count, waste];
    }
    return best;
  }
}

/** `around` first, then nearest first: of equal borders the one nearest to the wanted length wins. */
function candidates(around: number, by: number): number[] {
  const list = [around];
  for (let d = 1; d <= by; d++) {
    if (around - d >= 1) list.push(around - d);
    list.push(around + d);
  }
  return list;
}

/** The last of the ascending `keyFrames` that is at or before `seconds`; 0 when there is none. */
export function keyFrameBefore(keyFrames: number[], seconds: number): number {
  const tolerance = 1e-4;
  let [low, high] = [0, keyFrames.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keyFrames[middle] as number) <= seconds + tolerance) low = middle + 1;
    else high = middle;
  }
  return keyFrames[low - 1] ?? 0;
}
