import {
  type EncoderName,
  type EncoderPreset,
  type OutputChoice,
  type Profile,
  type RenditionKind,
  type RenditionName,
  type TrackRole,
  USUAL_PROFILE,
  WHOLE_CHOICE,
} from '#contracts';
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
import type { ByteRange } from './byte-needs.js';
import { type ColorPlan, planColor } from './color.js';
import { frameAt, frameTime, type Grid, planGrid } from './grid.js';
import { chosenRungs, planLadder } from './ladder.js';
import { toNumber } from './rational.js';
import { type AudioTrack, chosenTracks, type PlannedTracks, planTracks, type TrackLimits } from './tracks.js';
import { withTs } from './ts.js';
import { planWork } from './work.js';

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
  tracks?: Pick<PlannedTracks, 'audio' | 'subtitles'> & Partial<Pick<PlannedTracks, 'leftOut'>>;
  encoder: PlannedEncoder;
  /** First frame of each segment of every video rendition, then the end. */
  borders: number[];
  /** The same in AAC frames. */
  audioBorders: number[];
  renditions: PlannedRendition[];
  spans: PlannedSpan[];
}

/** One for all rungs of a job, from its first segment to its last. */
export interface PlannedEncoder {
  name: EncoderName;
  preset: EncoderPreset;
  crf: number;
  threads: number;
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
  /** Of this rung, where it is not the plan's. */
  crf?: number;
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
  /** Its segments are made as MPEG-TS, too; false: they were asked for, and cannot be. Older plans say nothing. */
  ts?: boolean;
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
  /** What must be here of the source before it begins: what its first segment is made of; null: all of it. */
  bytes: ByteRange | null;
  /** Of a source that arrives: where the bytes end that it needs for each of its segments. */
  reads?: number[] | null;
  /** Place in `spans` of one that must be done before this one begins: what somebody waits for has the processors. */
  waitsFor: number | null;
}

export interface PlanOptions extends TrackLimits {
  /** What the upload wants of the usual outputs. */
  choice?: OutputChoice;
  /** The usual one where nothing is said; `encoder` is one of its encoders. */
  profile?: Profile;
  encoder?: EncoderName;
  segmentSeconds: number;
  spanSeconds: number;
  preset: EncoderPreset;
  threads: number;
  /** So long the source will still be on its way; 0: all of it is here. */
  arrivalSeconds: number;
}

/** One second of VBV: a 4 s segment exceeds the cap by at most a quarter. */
const PEAK_FACTOR = 1.3;
/** A track may begin or end this much away from the other without anything being held for it. */
export const NEGLIGIBLE_SECONDS = 0.1;
/** Pure: the same analysis and options give the same plan. */
export function planJob(source: SourceAnalysis, options: PlanOptions): Plan {
  const { choice = WHOLE_CHOICE, profile = USUAL_PROFILE } = options;
  const { timeline } = source;
  const audio = choice.audio === 'none' ? null : source.audio;
  const audioLeads = audio !== null && audio.startSeconds < timeline.startSeconds - NEGLIGIBLE_SECONDS;
  const audioOutlasts = audio !== null && audio.endSeconds > timeline.endSeconds + NEGLIGIBLE_SECONDS;
  const grid = planGrid(
    timeline.constantRate,
    source.video.nominalRate,
    timeline.averageFps,
    profile.maxFrameRate,
  );
  const { width, height } = displaySize(source);
  const ladder = planLadder(width, height, toNumber(grid.fps), profile.rungs);
  const rungs = chosenRungs(ladder, choice.renditions);
  const copy = source.copyObstacle === null && !audioLeads && !audioOutlasts && rungs[0] === ladder[0];
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
      ...(rung.crf === null ? {} : { crf: rung.crf }),
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
    { audio, otherAudio: source.otherAudio, subtitles: source.subtitles },
    { seconds, targetDuration: longest, segments: borders.length - 1 },
    chosenTracks(choice, { ...options, audioBitRate: profile.audioBitRate }),
  );
  const renditions = withTs([...videoRenditions, ...tracks.renditions], choice.ts, profile.codec);
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
    tracks: { audio: tracks.audio, subtitles: tracks.subtitles, leftOut: tracks.leftOut },
    encoder: {
      name: options.encoder ?? (profile.encoders[0] as EncoderName),
      preset: profile.preset ?? options.preset,
      ...{ crf: profile.crf, threads: options.threads },
    },
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
