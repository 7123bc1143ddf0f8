import { refuseBeyond, type SourceLimits } from '../probe/limits.js';
import type { VideoTimeline } from '../probe/timeline.js';
import { audioBorders, gridBorders, openBorders } from './borders.js';
import { frameAt, frameTime } from './grid.js';
import { NEGLIGIBLE_SECONDS, type Plan, type PlannedSpan } from './plan.js';
import { grownSpans } from './work.js';

/** What is known of a source that has no index, after reading along with its upload. */
export interface KnownSource {
  timeline: VideoTimeline;
  audio: { startSeconds: number; endSeconds: number } | null;
  /** All of it has been read. */
  ended: boolean;
}

/** A span of a source that is arriving has so many segments, and a hundredth of those before it. */
const FEWEST_SEGMENTS = 2;
const MOST_SPANS = 100;

/**
 * The plan with what can be planned now, and the spans that are new in it; null when there is nothing new.
 * Pure, and the same for every process: nothing that was planned before is changed, segments are only added.
 */
export function growPlan(
  plan: Plan,
  known: KnownSource,
  segmentSeconds: number,
): { plan: Plan; spans: PlannedSpan[] } | null {
  const { grid, zeroSeconds } = plan;
  const { timeline, audio, ended } = known;
  const outlasts = ended && audio !== null && audio.endSeconds > timeline.endSeconds + NEGLIGIBLE_SECONDS;
  const end = outlasts ? audio.endSeconds : timeline.endSeconds;
  const frames = Math.max(1, frameAt(grid, end - zeroSeconds));
  const borders = ended
    ? gridBorders(grid, frames, segmentSeconds)
    : openBorders(grid, frames, segmentSeconds);
  const planned = plan.borders.length - 1;
  const per = Math.max(FEWEST_SEGMENTS, Math.ceil(planned / MOST_SPANS));
  const segments = borders.length - 1;
  const wanted = ended ? segments : planned + Math.floor((segments - planned) / per) * per;
  if (!ended && wanted <= planned) return null;
  const grown: Plan = {
    ...plan,
    isOpen: !ended,
    borders: borders.slice(0, wanted + 1),
    video: {
      ...plan.video,
      holdEnd: ended ? Math.max(0, frames - frameAt(grid, timeline.endSeconds - zeroSeconds)) : 0,
    },
    renditions: plan.renditions.map((rendition) =>
      rendition.kind === 'subtitles'
        ? { ...rendition, targetDuration: Math.max(1, Math.ceil(frameTime(grid, frames))) }
        : { ...rendition, segments: wanted },
    ),
  };
  if (plan.audio) grown.audioBorders = audioBorders(grid, grown.borders, plan.audio.sampleRate);
  const spans: PlannedSpan[] = [];
  for (let first = planned; first < wanted; first += per) {
    const range = { firstSegment: first, segmentCount: Math.min(per, wanted - first) };
    spans.push(...grownSpans(grown, timeline, range));
  }
  grown.spans = [...plan.spans, ...spans];
  return { plan: grown, spans };
}

/** Throws what the source as it is known breaks; what can only be said of a whole one is said at its end. */
export function refuseGrown(limits: SourceLimits, known: KnownSource, bytes: number): void {
  const { timeline, audio, ended } = known;
  const first = Math.min(timeline.startSeconds, audio?.startSeconds ?? Number.POSITIVE_INFINITY);
  const seconds = Math.max(timeline.endSeconds, audio?.endSeconds ?? 0) - first;
  const rates = ended ? {} : { minBitRate: 0, maxBitRate: Number.POSITIVE_INFINITY };
  refuseBeyond({ ...limits, ...rates }, { bytes, seconds, frames: timeline.frames });
}
