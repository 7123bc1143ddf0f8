import type { SourceExtent } from '../plan/byte-needs.js';
import type { Rational } from '../plan/rational.js';

/** When the frames of a video stream are shown; seconds on the source's own clock. */
export interface VideoTimeline {
  startTicks: number;
  timeBase: Rational;
  startSeconds: number;
  /** End of the last frame. */
  endSeconds: number;
  frames: number;
  constantRate: Rational | null;
  averageFps: number;
  keyFrames: number[];
  /** Where its samples lie, in the order of decoding; null where no index says so. */
  extents: SourceExtent[] | null;
}
