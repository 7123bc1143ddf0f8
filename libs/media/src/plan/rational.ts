/** A ratio of whole numbers, e.g. frames per second 30000/1001. */
export interface Rational {
  num: number;
  den: number;
}

export const toNumber = (r: Rational): number => r.num / r.den;

export function reduce(num: number, den: number): Rational {
  let [a, b] = [Math.abs(num), Math.abs(den)];
  while (b > 0) [a, b] = [b, a % b];
  return a === 0 ? { num: 0, den: 1 } : { num: num / a, den: den / a };
}

/** ffprobe's `30000/1001`; null for `0/0` and anything else. */
export function parseRational(text: string | undefined): Rational | null {
  const match = /^(\d{1,12})[/:](\d{1,12})$/.exec(text ?? '');
  if (!match) return null;
  const [num, den] = [Number(match[1]), Number(match[2])];
  return num > 0 && den > 0 ? reduce(num, den) : null;
}
