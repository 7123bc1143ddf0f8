export interface Places {
  /** In line: 1 is next. */
  place: number;
  /** How many videos are worked on at once. */
  places: number;
  /** Seconds that each of those at work has left; null: not known. */
  left: readonly (number | null)[];
  /** Seconds that one usually takes; null: not known. */
  usual: number | null;
}

/**
 * Seconds until the job at this place in line begins, if those that work end when they say, and those
 * before it take as long as the last ones took: each place that becomes free goes to the next in line.
 * Null where one of these is needed and nobody knows it.
 */
export function startSeconds({ place, places, left, usual }: Places): number | null {
  const free = left.map((seconds) => seconds ?? usual);
  if (free.includes(null)) return null;
  const times = free.filter((seconds) => seconds !== null);
  while (times.length < places) times.push(0);
  // Who went on without a place ends before there is one.
  times.sort((a, b) => a - b).splice(0, times.length - places);
  const rounds = Math.floor((place - 1) / places);
  if (rounds > 0 && usual === null) return null;
  return Math.round((times[(place - 1) % places] ?? 0) + rounds * (usual ?? 0));
}
