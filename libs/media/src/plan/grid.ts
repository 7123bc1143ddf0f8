import { FASTEST_FRAMES } from '#contracts';
import { type Rational, reduce, toNumber } from './rational.js';

/** A constant frame rate on which all video renditions of a job lie: frame n is shown at n × den/num. */
export interface Grid {
  fps: Rational;
  /** Ticks per second of the video tracks. */
  timescale: number;
  /** Ticks of one frame. */
  frameTicks: number;
}

/** An average that lies this little above a rate is that rate. */
const TOLERANCE = 0.99;
/** A nominal rate this many times the average would mostly repeat frames. */
const MOST_REPEATED = 2.5;
const STANDARD: Rational[] = [
  { num: 10, den: 1 },
  { num: 12, den: 1 },
  { num: 15, den: 1 },
  { num: 24000, den: 1001 },
  { num: 24, den: 1 },
  { num: 25, den: 1 },
  { num: 30000, den: 1001 },
  { num: 30, den: 1 },
  { num: 48, den: 1 },
  { num: 50, den: 1 },
  { num: 60000, den: 1001 },
  { num: 60, den: 1 },
];

/**
 * A constant source keeps its rate (halved until it is at most `maxFps`). A varying one gets its nominal rate,
 * of which all its frames are multiples, where that is one that players like; else the standard rate at or
 * above its average.
 */
export function planGrid(
  constantRate: Rational | null,
  nominalRate: Rational | null,
  averageFps: number,
  maxFps: number = FASTEST_FRAMES,
): Grid {
  if (constantRate) return gridOf(capped(constantRate, maxFps));
  const nominal = nominalRate ? toNumber(nominalRate) : 0;
  const usable =
    nominal <= maxFps && nominal >= averageFps * TOLERANCE && nominal <= averageFps * MOST_REPEATED;
  return gridOf(nominalRate && usable ? nominalRate : standardAtLeast(averageFps, maxFps));
}

export function gridOf(fps: Rational): Grid {
  const { num, den } = reduce(fps.num, fps.den);
  // At least 10,000 ticks a second, so that other clocks (48 kHz audio) round well.
  const factor = num >= 10_000 ? 1 : 2 ** Math.ceil(Math.log2(10_000 / num));
  return { fps: { num, den }, timescale: num * factor, frameTicks: den * factor };
}

function capped(rate: Rational, maxFps: number): Rational {
  let { num, den } = rate;
  while (num / den > maxFps) den *= 2;
  return reduce(num, den);
}

function standardAtLeast(fps: number, maxFps: number): Rational {
  const allowed = STANDARD.filter((rate) => toNumber(rate) <= maxFps);
  const fitting = allowed.find((rate) => toNumber(rate) >= fps * TOLERANCE);
  return fitting ?? (allowed.at(-1) as Rational);
}

export const frameTime = (grid: Grid, frame: number): number => (frame * grid.fps.den) / grid.fps.num;
export const frameAt = (grid: Grid, seconds: number): number =>
  Math.round((seconds * grid.fps.num) / grid.fps.den);
