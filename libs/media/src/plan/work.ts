import { AUDIO_RENDITIONS } from '#contracts';
import type { Container } from '../ffmpeg/allow-lists.js';
import type { SourceAnalysis } from '../probe/analyze.js';
import { type ByteRange, bytesBetween, READ_AHEAD_SECONDS } from './byte-needs.js';
import { frameTime, type Grid } from './grid.js';
import type { Plan, PlannedRendition, PlannedSpan, PlanOptions } from './plan.js';
import { keyFrameBefore, planSpans, type SpanRange } from './spans.js';

/** Containers whose seek may land late get this much head start, in seconds. */
const SEEK_MARGIN: Partial<Record<Container, number>> = { mpegts: 1.5, ogg: 1.5, avi: 0.1, matroska: 0.1 };

/** Pixels of a picture in all rungs from 1080p to 240p. */
const WHOLE_LADDER = 3_730_000;
const MOST_STRETCH = 3;

/** Bytes that somebody has read already. */
const READ: ByteRange = { from: 0, to: 0 };

const INDEXING: PlannedSpan = {
  ...{ kind: 'index', renditions: [], firstSegment: 0, segmentCount: 0 },
  ...{ seekSeconds: null, skipTo: {}, waitsFor: null, bytes: READ },
};

/** Where decoding of what is shown at `start` (seconds on the source's clock) begins; null: at the source's start. */
function seekOf(
  { container, timeline }: { container: Container; timeline: { keyFrames: number[]; startSeconds: number } },
  start: number,
): number | null {
  const seek = keyFrameBefore(timeline.keyFrames, start) - (SEEK_MARGIN[container] ?? 0);
  return seek <= timeline.startSeconds ? null : seek;
}

/** Spans of segments that a growing plan has come to, of pictures and of sound. */
export function grownSpans(
  plan: Plan,
  timeline: { keyFrames: number[]; startSeconds: number },
  { firstSegment, segmentCount }: { firstSegment: number; segmentCount: number },
): PlannedSpan[] {
  const start = frameTime(plan.grid, plan.borders[firstSegment] as number) + plan.zeroSeconds;
  const common = {
    ...{ firstSegment, segmentCount, skipTo: {}, bytes: READ },
    waitsFor: plan.spans.find((span) => span.kind === 'video' && span.waitsFor !== null)?.waitsFor ?? null,
  };
  const of = (kind: 'video' | 'audio') => plan.renditions.filter((r) => r.kind === kind).map((r) => r.name);
  const seekSeconds = seekOf({ container: plan.container, timeline }, start);
  return [
    { ...common, kind: 'video', renditions: of('video'), seekSeconds },
    ...of('audio').map((name) => ({
      ...common,
      kind: 'audio' as const,
      renditions: [name],
      seekSeconds: null,
    })),
  ];
}

/**
 * Followers (copied rung, audio) and spans. With nothing to copy, the first segment of the lowest rung is
 * a span of its own, and so is that of the audio: it costs one more decode of a few seconds and makes the
 * stream playable at once. All the rest waits for that rung's segment.
 */
export function planWork(
  source: SourceAnalysis,
  grid: Grid,
  borders: number[],
  zeroSeconds: number,
  renditions: PlannedRendition[],
  options: PlanOptions,
): PlannedSpan[] {
  const segmentCount = borders.length - 1;
  const timeOf = (segment: number) => frameTime(grid, borders[segment] as number) + zeroSeconds;
  const { extents } = source.timeline;
  const bytesTo = (from: number, segment: number) =>
    source.isOpen ? READ : extents && bytesBetween(extents, from, timeOf(segment));
  /** One past the last byte of each segment. */
  const readsOf = (from: number, { firstSegment: first, segmentCount: count }: SpanRange) =>
    options.arrivalSeconds === 0 || source.isOpen || !extents
      ? null
      : Array.from(
          { length: count },
          (_, i) => bytesBetween(extents, from, timeOf(first + i + 1), READ_AHEAD_SECONDS).to,
        );
  // All work reads along with the upload, and begins with its first segment's bytes.
  const opening = { seekSeconds: null, skipTo: {}, waitsFor: null, bytes: bytesTo(0, 1) };
  const whole = { firstSegment: 0, segmentCount, ...opening };
  const spans: PlannedSpan[] = [];
  const copied = renditions.find((r) => r.mode === 'copy');
  const encoded = renditions.filter((r) => r.kind === 'video' && r.mode === 'encode').map((r) => r.name);
  const hasAudio = renditions.some((r) => r.kind === 'audio');
  const lowest = encoded.at(-1);
  const startsAlone = !copied && lowest !== undefined && segmentCount > 1 && encoded.length > 1;
  const audio = { kind: 'audio' as const, renditions: [AUDIO_RENDITIONS[0]] };
  let waitsFor: number | null = null;
  if (copied) spans.push({ kind: 'copy', renditions: [copied.name], ...whole });
  if (startsAlone) {
    const first = { firstSegment: 0, segmentCount: 1, ...opening };
    if (hasAudio) spans.push({ ...audio, ...first });
    waitsFor = spans.push({ kind: 'video', renditions: [lowest], ...first }) - 1;
    if (hasAudio)
      spans.push({ ...audio, ...opening, firstSegment: 1, segmentCount: segmentCount - 1, waitsFor });
  } else if (hasAudio) spans.push({ ...audio, ...whole });
  const indexing = source.isOpen ? spans.push(INDEXING) - 1 : null;
  spans.push(...planOthers(renditions, whole, waitsFor, indexing));
  if (encoded.length === 0) return spans;

  for (const range of planSpans(
    grid,
    borders,
    source.timeline.keyFrames.map((t) => t - zeroSeconds),
    options.spanSeconds,
    stretchOf(renditions),
  )) {
    const seekSeconds = seekOf(source, timeOf(range.firstSegment));
    const from = seekSeconds ?? 0;
    spans.push({
      kind: 'video',
      renditions: encoded,
      ...range,
      seekSeconds: range.firstSegment === 0 ? null : seekSeconds,
      skipTo: startsAlone && range.firstSegment === 0 ? { [lowest]: 1 } : {},
      bytes: bytesTo(from, range.firstSegment + 1),
      reads: readsOf(from, range),
      waitsFor,
    });
  }
  return spans;
}

/** How many times cheaper than the whole ladder what is encoded here is, by its pixels: such spans may be longer. */
function stretchOf(renditions: PlannedRendition[]): number {
  const pixels = renditions.reduce(
    (sum, { kind, mode, width, height }) =>
      kind === 'video' && mode === 'encode' ? sum + (width ?? 0) * (height ?? 0) : sum,
    0,
  );
  return Math.min(MOST_STRETCH, Math.max(1, WHOLE_LADDER / Math.max(1, pixels)));
}

/** Tracks that nobody waits for: the other languages read along, and text is read when all of it is there. */
function planOthers(
  renditions: PlannedRendition[],
  whole: Omit<PlannedSpan, 'kind' | 'renditions'>,
  waitsFor: number | null,
  /** Place of the span that finds out how long the source is. */
  indexing: number | null,
): PlannedSpan[] {
  const others = renditions.filter((r) => r.kind !== 'video' && !r.inStartSet);
  return others.map(({ name, kind, segments }) =>
    kind === 'subtitles'
      ? {
          ...whole,
          kind,
          renditions: [name],
          segmentCount: segments,
          waitsFor: indexing ?? waitsFor,
          bytes: null,
        }
      : { ...whole, kind: 'audio', renditions: [name], waitsFor },
  );
}
