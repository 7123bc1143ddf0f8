import type { CopyStrategy } from '#media';

/** `spans.params`: what a span needs beyond the columns. */
export interface SpanParams {
  /** Where decoding begins, seconds on the source's clock; null: at its start. */
  seekSeconds: number | null;
  /** Renditions whose first segments are another span's: where this one begins with them. */
  skipTo: Record<string, number>;
  /** Position of the job's span that must be done before this one may be claimed; null: none. */
  waitsFor: number | null;
  /** Of a source that arrives: one past the last byte that each segment of the span needs. */
  reads?: number[] | null;
  /** How a copied rung is copied; the first way where nothing is said. */
  copyStrategy?: CopyStrategy;
}
