/** Bytes `[start, end)`. */
export type Range = [start: number, end: number];

export type SendOrder = 'sequential' | 'ends-first' | 'shuffled';

/**
 * Cuts the missing ranges on the file's chunk grid, so that a resumed upload sends the chunks that
 * the first one would have sent.
 */
export function* cutRanges(
  missing: Iterable<readonly [number, number]>,
  chunkSize: number,
): Generator<Range> {
  for (const [from, to] of missing) {
    for (let start = from; start < to; ) {
      const end = Math.min(to, (Math.floor(start / chunkSize) + 1) * chunkSize);
      yield [start, end];
      start = end;
    }
  }
}

/**
 * `ends-first`: the first, the last, then the rest: the container's index comes at once, wherever it
 * is. Memory: one pair of numbers per chunk.
 */
export function inOrder(ranges: Range[], order: SendOrder, random: () => number = Math.random): Range[] {
  if (order === 'shuffled') return shuffle([...ranges], random);
  const last = ranges.at(-1);
  if (order === 'sequential' || ranges.length < 3 || !last) return ranges;
  return [...ranges.slice(0, 1), last, ...ranges.slice(1, -1)];
}

function shuffle(ranges: Range[], random: () => number): Range[] {
  for (let at = ranges.length - 1; at > 0; at -= 1) {
    const other = Math.floor(random() * (at + 1));
    const held = ranges[at] as Range;
    ranges[at] = ranges[other] as Range;
    ranges[other] = held;
  }
  return ranges;
}
