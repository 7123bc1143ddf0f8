import { type ProfileRung, QUALITY_SHORT_SIDE, type Quality, USUAL_PROFILE } from '#contracts';

export interface Rung {
  name: Quality;
  width: number;
  height: number;
  /** Bits per second: VBV cap of the encoder. */
  maxRate: number;
  /** Null: the profile's. */
  crf: number | null;
}

/** Above it a rung's rate is half as much again. */
const HIGH_FRAME_RATE = 32;
/** A source this much larger than the rung below keeps a rung of its own size. */
const WORTH_A_RUNG = 1.1;
const LONGEST_SIDE = 4096;

const even = (value: number) => Math.max(2, Math.round(value / 2) * 2);

/**
 * The rungs for a picture of `width` × `height` square pixels as displayed, top first. A rung bounds
 * the short side, so that portrait video gets the same quality as landscape. Nothing is scaled up: a
 * source between two rungs keeps its own size under the upper one's name, and one that is smaller than
 * all of them has the lowest rung in its own size. Sides are even, because 4:2:0 needs it.
 */
export function planLadder(
  width: number,
  height: number,
  fps: number,
  rungs: readonly ProfileRung[] = USUAL_PROFILE.rungs,
): Rung[] {
  const short = Math.min(width, height);
  const fitting = rungs.filter(({ name }) => QUALITY_SHORT_SIDE[name] <= short);
  const [top] = fitting;
  const above = rungs[(top === undefined ? rungs.length : rungs.indexOf(top)) - 1];
  const members =
    above !== undefined && (top === undefined || short >= QUALITY_SHORT_SIDE[top.name] * WORTH_A_RUNG)
      ? [above, ...fitting]
      : fitting;
  return members.map(({ name, maxRate, crf }) => {
    const scale = Math.min(1, QUALITY_SHORT_SIDE[name] / short, LONGEST_SIDE / Math.max(width, height));
    return {
      name,
      width: even(width * scale),
      height: even(height * scale),
      maxRate: Math.round(maxRate * (fps > HIGH_FRAME_RATE ? 1.5 : 1)),
      crf,
    };
  });
}

/** Those that are wanted; where the source is smaller than all of them, the largest that it has. */
export function chosenRungs(ladder: Rung[], wanted: readonly Quality[] | null): Rung[] {
  const chosen = wanted === null ? ladder : ladder.filter(({ name }) => wanted.includes(name));
  return chosen.length > 0 ? chosen : ladder.slice(0, 1);
}
