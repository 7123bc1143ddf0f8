/** Where the pictures of a short time lie in the source. */
export interface SourceExtent {
  /** When decoding of the first one is due, on the source's clock. */
  seconds: number;
  from: number;
  to: number;
}

/** `[from, to)` of the source. */
export interface ByteRange {
  from: number;
  to: number;
}

/**
 * A decoder is given more than it gives back: B-frames, its threads and the filters hold pictures of this
 * time. A run that begins without them waits for them in its place.
 */
export const READ_AHEAD_SECONDS = 1;

/**
 * The bytes that decoding from `start` to `end` (seconds on the source's clock) reads, of an index in the
 * order of decoding, and those of `ahead` seconds after it. `[0, 0)` when there is nothing in between.
 */
export function bytesBetween(extents: SourceExtent[], start: number, end: number, ahead = 0): ByteRange {
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for (let i = Math.max(0, firstAfter(extents, start) - 1); i < extents.length; i++) {
    const extent = extents[i] as SourceExtent;
    if (extent.seconds >= end + ahead) break;
    if (extent.from < from) from = extent.from;
    if (extent.to > to) to = extent.to;
  }
  return to === 0 ? { from: 0, to: 0 } : { from, to };
}

/** Index of the first extent that begins after `seconds`. */
function firstAfter(extents: SourceExtent[], seconds: number): number {
  let [low, high] = [0, extents.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((extents[middle] as SourceExtent).seconds <= seconds) low = middle + 1;
    else high = middle;
  }
  return low;
}
