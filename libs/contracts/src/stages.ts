/** S1-04. In order; a job's stage and progress never go back. */
export const STAGES = [
  'uploading',
  'transcoding',
  'validation',
  'packaging',
  'storage',
  'completed',
] as const;
export type Stage = (typeof STAGES)[number];

/** S1-04. The percent of a job at the beginning and at the end of each stage. */
export const STAGE_BANDS = {
  uploading: [5, 10],
  transcoding: [30, 50],
  validation: [60, 60],
  packaging: [75, 85],
  storage: [90, 95],
  completed: [100, 100],
} as const satisfies Record<Stage, readonly [number, number]>;

/**
 * The percent of a job whose present stage is done to `share` (0 to 1): whole, rounded down, within the
 * stage's band. The real work overlaps (encoding begins while the upload runs), so a job's stage is the
 * furthest that has begun, and its percent the highest that was ever said: `recordFact` keeps the greater
 * of the two, and the bands leave no percent that two stages share.
 */
export function percentOf(stage: Stage, share = 0): number {
  const [from, to] = STAGE_BANDS[stage];
  return from + Math.floor((to - from) * Math.min(1, Math.max(0, share)));
}
