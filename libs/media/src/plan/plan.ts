import { AUDIO_RENDITIONS, type RenditionKind, type RenditionName, type TrackRole } from '#contracts';
import type { Container, InputLimits } from '../ffmpeg/allow-lists.js';
import type { SourceAnalysis } from '../probe/analyze.js';
import type { ProbedAudio, ProbedVideo } from '../probe/ffprobe.js';
import {
  audioBorders,
  gridBorders,
  keyFrameBorders,
  openBorders,
  openTargetDuration,
  targetDuration,
} from './borders.js';
import { type ByteRange, bytesBetween } from './byte-needs.js';
import { type ColorPlan, planColor } from './color.js';
import { frameAt, frameTime, type Grid, planGrid } from './grid.js';
import { planLadder } from './ladder.js';
import { toNumber } from './rational.js';
import { keyFrameBefore, planSpans, type SpanLengths } from './spans.js';
import { type AudioTrack, type PlannedTracks, planTracks, type TrackLimits } from './tracks.js';

/** What to make of a source: decided once, stored with the job, never changed. All that encodes derives from it. */
export interface Plan {
  version: 1;
  container: Container;
  /** The end of the source is not known yet: segments and spans are added as it arrives (grow.ts). */
  isOpen?: boolean;
  /** What reading along with it needs; of plans that grow, or have grown. */
  opening?: { video: ProbedVideo; audio: ProbedAudio | null; segmentSeconds: number };
  /** What the source was found to keep, and every later reading of it must; older plans have none. */
  limits?: InputLimits;
  grid: Grid;
  /** Seconds on the source's clock that are time 0 of all renditions. */
  zeroSeconds: number;
  video: {
    streamIndex: number;
    /** Time 0 in ticks of the stream, which the filters count in. */
    zeroTicks: number;
    /** `flagged`: those frames that say so. */
    deinterlace: boolean | 'flagged';
    /** Older plans have none: their pictures keep what they are, unsaid. */
    color?: ColorPlan;
    /** Frames of the grid that the first frame is held before the stream begins, and the last after it ends. */
    holdEnd: number;
    holdStart: boolean;
  };
  /** The default track. */
  audio: AudioTrack | null;
  /** All audio tracks and those of text, by the names of their renditions; older plans have the default one only. */
  tracks?: Pick<PlannedTracks, 'audio' | 'subtitles'>;
  encoder: { name: 'libx264'; preset: string; crf: number; threads: number };
  /** First frame of each segment of every video rendition, then the end. */
  borders: number[];
  /** The same in AAC frames. */
  audioBorders: number[];
  renditions: PlannedRendition[];
  spans: PlannedSpan[];
}

export interface PlannedRendition {
  name: RenditionName;
  kind: RenditionKind;
  mode: 'encode' | 'copy';
  width: number | null;
  height: number | null;
  timescale: number;
  /** VBV cap or nominal rate, bits per second. */
  maxRate: number;
  /** Bits per second that any segment stays below, for BANDWIDTH. */
  maxBitrate: number;
  targetDuration: number;
  inStartSet: boolean;
  language: string | null;
  title: string | null;
  role: TrackRole | null;
  /** Played when nobody chooses. */
  isDefault: boolean;
  channels: number | null;
  segments: number;
}

export interface PlannedSpan {
  /** `index`: reads along with a source that has no index, and adds the other kinds. */
  kind: 'video' | 'copy' | 'audio' | 'subtitles' | 'index';
  renditions: RenditionName[];
  firstSegment: number;
  segmentCount: number;
  /** Where decoding begins, seconds on the source's clock; null: at its start. */
  seekSeconds: number | null;
  /** Renditions of the span that begin later than it, with their first segment: the rest is another span's. */
  skipTo: Record<string, number>;
  /** What decoding it reads of the source; null: nobody knows before all of it has arrived. */
  bytes: ByteRange | null;
  /** Place in `spans` of one that must be done before this one begins: what somebody waits for has the processors. */
  waitsFor: number | null;
}

export interface PlanOptions extends TrackLimits {
  segmentSeconds: number;
  spanSeconds: number;
  preset: string;
  threads: number;
  /** So long the source will still be on its way; 0: all of it is here. */
  arrivalSeconds: number;
}

const CRF = 23;
/** One second of VBV: a 4 s segment exceeds the cap by at most a quarter. */
const PEAK_FACTOR = 1.3;
/** A track may begin or end this much away from the other without anything being held for it. */
const NEGLIGIBLE_SECONDS = 0.1;
/** Containers whose seek may land late get this much head start, in seconds. */
const SEEK_MARGIN: Partial<Record<Container, number>> = { mpegts: 1.5, ogg: 1.5, avi: 0.1, matroska: 0.1 };

/** Pure: the same analysis and options give the same plan. */
export function planJob(source: SourceAnalysis, options: PlanOptions): Plan {
  const { timeline, audio } = source;
  const audioLeads = audio !== null && audio.startSeconds < timeline.startSeconds - NEGLIGIBLE_SECONDS;
  const audioOutlasts = audio !== null && audio.endSeconds > timeline.endSeconds + NEGLIGIBLE_SECONDS;
  const copy = source.copyObstacle === null && !audioLeads && !audioOutlasts;
  const grid = planGrid(timeline.constantRate, source.video.nominalRate, timeline.averageFps);
  const zeroSeconds = audioLeads ? audio.startSeconds : timeline.startSeconds;
  const zeroTicks = audioLeads ? Math.round(zeroSeconds / toNumber(timeline.timeBase)) : timeline.startTicks;
  const endSeconds = audioOutlasts ? audio.endSeconds : timeline.endSeconds;
  const frames = Math.max(1, frameAt(grid, endSeconds - zeroSeconds));
  const keyFrames = copy ? timeline.keyFrames.map((time) => frameAt(grid, time - zeroSeconds)) : [];
  const borders = copy
    ? keyFrameBorders(grid, frames, keyFrames, options.segmentSeconds)
    : source.isOpen
      ? openBorders(grid, frames, options.segmentSeconds)
      : gridBorders(grid, frames, options.segmentSeconds);

  const { width, height } = displaySize(source);
  const fps = toNumber(grid.fps);
  const rungs = planLadder(width, height, fps);
  const longest = source.isOpen
    ? openTargetDuration(grid, options.segmentSeconds)
    : targetDuration(grid, borders);
  const videoRenditions = rungs.map((rung, i): PlannedRendition => {
    const copied = copy && i === 0;
    return {
      name: rung.name,
      kind: 'video',
      mode: copied ? 'copy' : 'encode',
      width: rung.width,
      height: rung.height,
      timescale: grid.timescale,
      maxRate: rung.maxRate,
      maxBitrate: Math.round(Math.max(rung.maxRate, copied ? source.bitRate * 1.5 : 0) * PEAK_FACTOR),
      targetDuration: longest,
      inStartSet: copy ? copied : i === rungs.length - 1,
      language: null,
      title: null,
      role: null,
      isDefault: false,
      channels: null,
      segments: borders.length - 1,
    };
  });
  const seconds = frameTime(grid, frames);
  const tracks = planTracks(
    source,
    { seconds, targetDuration: longest, segments: borders.length - 1 },
    options,
  );
  const renditions = [...videoRenditions, ...tracks.renditions];
  return {
    version: 1,
    container: source.container,
    ...(source.isOpen
      ? { isOpen: true, opening: { video: source.video, audio, segmentSeconds: options.segmentSeconds } }
      : {}),
    limits: source.limits,
    grid,
    zeroSeconds,
    video: {
      streamIndex: source.video.index,
      zeroTicks,
      deinterlace: source.video.interlaced,
      color: planColor(source.video),
      holdStart: audioLeads,
      holdEnd: source.isOpen ? 0 : Math.max(0, frames - frameAt(grid, timeline.endSeconds - zeroSeconds)),
    },
    audio: tracks.audio[0] ?? null,
    tracks: { audio: tracks.audio, subtitles: tracks.subtitles },
    encoder: { name: 'libx264', preset: options.preset, crf: CRF, threads: options.threads },
    borders,
    audioBorders: tracks.audio[0] ? audioBorders(grid, borders, tracks.audio[0].sampleRate) : [],
    renditions,
    spans: planWork(source, grid, borders, zeroSeconds, renditions, options),
  };
}

/** Square pixels, upright. */
function displaySize({ video }: SourceAnalysis): { width: number; height: number } {
  const width = video.width * toNumber(video.sampleAspect);
  return video.rotation % 180 === 0
    ? { width, height: video.height }
    : { width: video.height, height: width };
}

/**
 * Of a source that arrives while it is encoded what counts is how much is left to do after its last byte:
 * spans are short, and the last ones have a single segment. Each costs the start of an encoder and the
 * decoding from a key frame, so that one that is here, or nearly, has long ones (docs/performance.md).
 */
const ARRIVING = { segments: 2, singles: 3 };

function spanLengths({ segmentSeconds, spanSeconds, arrivalSeconds }: PlanOptions): SpanLengths {
  const short = ARRIVING.segments * segmentSeconds;
  if (arrivalSeconds < spanSeconds / 2 || spanSeconds <= short) return { seconds: spanSeconds, singles: 0 };
  return { seconds: short, singles: ARRIVING.singles };
}

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
function planWork(
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
  // A follower reads along with the upload, and begins with the first segment's bytes.
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
    spanLengths(options),
  )) {
    const seekSeconds = seekOf(source, timeOf(range.firstSegment));
    spans.push({
      kind: 'video',
      renditions: encoded,
      ...range,
      seekSeconds: range.firstSegment === 0 ? null : seekSeconds,
      skipTo: startsAlone && range.firstSegment === 0 ? { [lowest]: 1 } : {},
      bytes: source.isOpen ? READ : bytesTo(seekSeconds ?? 0, range.firstSegment + range.segmentCount),
      waitsFor,
    });
  }
  return spans;
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
