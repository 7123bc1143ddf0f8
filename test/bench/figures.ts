/** One line of `--json`: a figure, its target, and the least and the most that single runs gave. */
export interface Figure {
  bench: string;
  figure: string;
  value: number;
  spread: [number, number];
  target: number;
  better: 'lower' | 'higher';
  ok: boolean;
}

export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle];
  if (upper === undefined) throw new Error('no values to take the median of');
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

const rounded = (value: number) => Math.round(value * 1000) / 1000;

/** The median of the runs, good when it is at most `target`. */
export const lowerIsBetter = (bench: string, figure: string, runs: number[], target: number): Figure =>
  compare({ bench, figure, target, better: 'lower' }, runs);

/** The median of the runs, good when it is at least `target`. */
export const higherIsBetter = (bench: string, figure: string, runs: number[], target: number): Figure =>
  compare({ bench, figure, target, better: 'higher' }, runs);

function compare(goal: Pick<Figure, 'bench' | 'figure' | 'target' | 'better'>, runs: number[]): Figure {
  const { bench, figure, target, better } = goal;
  const value = rounded(median(runs));
  const spread: [number, number] = [rounded(Math.min(...runs)), rounded(Math.max(...runs))];
  const ok = better === 'lower' ? value <= target : value >= target;
  return { bench, figure, value, spread, target, better, ok };
}

/** Columns as wide as their widest cell; the first is text, the others are numbers. */
export function table(rows: string[][]): string {
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

export function figureTable(figures: Figure[]): string {
  return table([
    ['figure', 'median', 'least', 'most', 'target', ''],
    ...figures.map(({ figure, value, spread, target, better, ok }) => [
      figure,
      value.toFixed(3),
      spread[0].toFixed(3),
      spread[1].toFixed(3),
      `${better === 'lower' ? '≤' : '≥'} ${target}`,
      ok ? 'ok' : 'missed',
    ]),
  ]);
}
