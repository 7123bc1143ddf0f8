/** Indices of at most `samples` of `segments` segments, evenly spread, the middle of each share. */
export function sampledSegments(segments: number, samples: number): number[] {
  const count = Math.min(segments, samples);
  return Array.from({ length: count }, (_, i) => Math.floor(((i + 0.5) * segments) / count));
}
