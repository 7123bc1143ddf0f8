/** Seconds of one worker, as measured (docs/performance.md). */
export interface SpanCost {
  /** Of every span, whatever its length: claim, start of ffmpeg, seek, hand-over. */
  fixed: number;
  /** For each second of video: all encoded rungs. */
  perSecond: number;
  /** The start span, for which all else of the job waits. */
  start: number;
  /** Of the audio, for each second: one run from the start to the end. */
  audioPerSecond: number;
}

/** As planSpans divides: about 20 s, and no more than 200 spans. */
const SPAN_SECONDS = 20;
const MOST_SPANS = 200;

/** Seconds until all spans of a video are done, with so many workers of one encoder each. */
export function makespan(videoSeconds: number, workers: number, cost: SpanCost): number {
  const spans = Math.max(1, Math.min(MOST_SPANS, Math.round(videoSeconds / SPAN_SECONDS)));
  const one = cost.fixed + (cost.perSecond * videoSeconds) / spans;
  const video = cost.start + Math.ceil(spans / workers) * one;
  // Followers have slots of their own.
  return Math.max(video, cost.audioPerSecond * videoSeconds);
}

/** How much faster than one worker. */
export const speedUp = (videoSeconds: number, workers: number, cost: SpanCost): number =>
  makespan(videoSeconds, 1, cost) / makespan(videoSeconds, workers, cost);

/** Seconds = fixed + perSecond × length, by least squares; a line below zero at length 0 begins there. */
export function lineThrough(spans: { length: number; seconds: number }[]): {
  fixed: number;
  perSecond: number;
} {
  const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const length = mean(spans.map((span) => span.length));
  const seconds = mean(spans.map((span) => span.seconds));
  const spread = spans.reduce((sum, span) => sum + (span.length - length) ** 2, 0);
  const together = spans.reduce((sum, span) => sum + (span.length - length) * (span.seconds - seconds), 0);
  const slope = spread === 0 ? 0 : together / spread;
  const fixed = seconds - slope * length;
  return fixed < 0 || slope <= 0 ? { fixed: 0, perSecond: seconds / length } : { fixed, perSecond: slope };
}
