import { QUALITIES, QUALITY_SHORT_SIDE, type Quality } from '#contracts';

export interface Rung {
  name: Quality;
  width: number;
  height: number;
  /** Bits per second: VBV cap of the encoder. */
  maxRate: number;
}

/** VBV caps for up to 32 frames a second; faster material gets half as much again. */
const MAX_RATE: Record<Quality, number> = {
  '1080p': 5_000_000,
  '720p': 2_800_000,
  '480p': 1_400_000,
  '360p': 800_000,
  '240p': 400_000,
};
const HIGH_FRAME_RATE = 32;
/** A source this much larger than the rung below keeps a rung of its own size. */
const WORTH_A_RUNG = 1.1;
const LONGEST_SIDE = 4096;

const even = (value: number) => Math.max(2, Math.round(value / 2) * 2);

/**
 * The rungs for a picture of `width` × `height` square pixels as displayed, top first. A rung bounds
 * the short side, so that portrait video gets the same quality as landscape. Nothing is scaled up: a
 * source between two rungs keeps its own size under the upper one's name, and one that is smaller than
 * all of them has the one rung `240p` in its own size. Sides are even, because 4:2:0 needs it.
 */
export function planLadder(width: number, height: number, fps: number): Rung[] {
  const short = Math.min(width, height);
  const fitting = QUALITIES.filter((name) => QUALITY_SHORT_SIDE[name] <= short);
  const top = fitting[0];
  const above = QUALITIES[(top === undefined ? QUALITIES.length : QUALITIES.indexOf(top)) - 1];
  const names =
    above !== undefined && (top === undefined || short >= QUALITY_SHORT_SIDE[top] * WORTH_A_RUNG)
      ? [above, ...fitting]
      : fitting;
  return names.map((name) => {
    const scale = Math.min(1, QUALITY_SHORT_SIDE[name] / short, LONGEST_SIDE / Math.max(width, height));
    return {
      name,
      width: even(width * scale),
      height: even(height * scale),
      maxRate: Math.round(MAX_RATE[name] * (fps > HIGH_FRAME_RATE ? 1.5 : 1)),
    };
  });
}

/** Those that are wanted; where the source is smaller than all of them, the largest that it has. */
export function chosenRungs(ladder: Rung[], wanted: readonly Quality[] | null): Rung[] {
  const chosen = wanted === null ? ladder : ladder.filter(({ name }) => wanted.includes(name));
  return chosen.length > 0 ? chosen : ladder.slice(0, 1);
}
