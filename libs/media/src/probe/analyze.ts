import { SluiceError } from '#contracts';
import { type Container, type InputLimits, sniffContainer } from '../ffmpeg/allow-lists.js';
import { findBox } from '../isobmff/boxes.js';
import { indexTrack, readMoov, type TrackIndex, trackTimes } from '../isobmff/index-reader.js';
import { type Rational, reduce, toNumber } from '../plan/rational.js';
import { findObstacle } from './copy-fitness.js';
import {
  type Probe,
  type ProbedAudio,
  type ProbedSubtitles,
  type ProbedVideo,
  probeSource,
} from './ffprobe.js';
import { type Followed, followPackets, readingOn } from './follow-packets.js';
import { refuseBeyond } from './limits.js';
import { type PacketTimeline, scanPackets } from './packet-scan.js';
import type { ProbeOptions } from './run-probe.js';
import { ArrivesSoon, NotArrived, type SourceReader } from './source.js';
import type { VideoTimeline } from './timeline.js';

export interface AudioTimeline {
  startSeconds: number;
  endSeconds: number;
}

export interface SourceAnalysis {
  container: Container;
  limits: InputLimits;
  video: ProbedVideo;
  timeline: VideoTimeline;
  /** The default track; the pictures' timeline is stretched to its sound. */
  audio: (ProbedAudio & AudioTimeline) | null;
  /** Others are cut and filled to it. */
  otherAudio: ProbedAudio[];
  subtitles: ProbedSubtitles[];
  bitRate: number;
  /** Only the beginning is known: the source has no index and is still arriving. */
  isOpen: boolean;
  /** Null: fit to be copied. Else the first reason why not, in words. */
  copyObstacle: string | null;
}

/** A constant rate must be one that a grid can have. */
const LOWEST_FPS = 1;
const HIGHEST_FPS = 1000;
/** Parts of a rate: ticks of 100 ns are the finest that files count in, and tracks have 31 bits for a second. */
const FINEST = 100_000_000;

/** Everything that the plan needs to know of a source. Throws `source_…`, `no_video_stream`, `probe_…`; NotArrived and ArrivesSoon of a source that is on its way. */
export async function analyzeSource(
  source: SourceReader,
  url: string,
  options: ProbeOptions,
): Promise<SourceAnalysis> {
  const container = sniffContainer(await source.read(0, Math.min(source.size, 400)));
  if (!container) {
    throw new SluiceError(
      'source_unreadable',
      'The file is not a video of a kind that is accepted here (MP4, MOV, 3GP, MKV, WebM, AVI, MPEG-TS, OGG).',
    );
  }
  // First, because it says at once what has not arrived of it; ffprobe would wait.
  const moov = container === 'mov' ? await readMoov(source) : null;
  const hasIndex = moov !== null && findBox(moov, 'moov/mvex') === null;
  if (!hasIndex && options.arrival === 'soon')
    throw new ArrivesSoon('all of the source will be here in a moment');
  const isHere = (options.arrival ?? 'here') === 'here';
  // An index that we cannot take apart is for a demuxer, which wants all of the file for it.
  if (container === 'mov' && moov === null && !isHere) throw new NotArrived(0, source.size);
  // Of what has no index and is not all here ffprobe would look for the end.
  const inOrder = !hasIndex && options.arrival === 'later';
  const probe = await probeSource(url, container, options, inOrder ? readingOn(container) : []);
  const { video } = probe;
  if (!video)
    throw new SluiceError('no_video_stream', 'The file has no picture in it; a video track is needed.');
  const index = moov ? indexTrack(moov, video.id) : null;
  if (index && index.endOffset > source.size) {
    throw new SluiceError(
      'source_truncated',
      `The file ends before its last frame (${source.size} of at least ${index.endOffset} bytes); it was cut off before it was uploaded. Export it again.`,
    );
  }
  if (hasIndex && index === null && !isHere) throw new NotArrived(0, source.size);
  const where = { url, container, bytes: source.size };
  const { timeline, audio, isOpen } =
    index || isHere
      ? await wholeTimelines(where, probe, video, { moov, index }, options)
      : await openTimelines(where, probe, video, options);
  const { limits } = options;
  const first = Math.min(timeline.startSeconds, audio?.startSeconds ?? Number.POSITIVE_INFINITY);
  const seconds = Math.max(timeline.endSeconds, audio?.endSeconds ?? 0) - first;
  if (!isOpen) refuseBeyond(limits, { bytes: source.size, seconds, frames: timeline.frames });
  const length = timeline.endSeconds - timeline.startSeconds;
  const bitRate = probe.bitRate ?? Math.round((source.size * 8) / Math.max(length, 0.1));
  const limitMs = limits.probeTimeoutSeconds * 1000;
  const copyObstacle = await findObstacle({
    ...{ video, index, timeline, bitRate, source, limitMs },
    ...(options.profile ? { profile: options.profile } : {}),
  });
  return {
    container,
    limits: { maxPixels: limits.maxPixels, maxStreams: limits.maxStreams },
    video,
    timeline,
    audio,
    otherAudio: probe.otherAudio,
    subtitles: probe.subtitles,
    isOpen,
    bitRate,
    copyObstacle,
  };
}

function fromIndex(index: TrackIndex): VideoTimeline {
  const timeBase = { num: 1, den: index.timescale };
  const seconds = (ticks: number) => ticks / index.timescale;
  const rate = index.frameTicks === null ? null : reduce(index.timescale, index.frameTicks);
  const startSeconds = seconds(index.startTicks);
  const endSeconds = Math.max(seconds(index.endTicks), startSeconds + 0.001);
  return {
    startTicks: index.startTicks,
    timeBase,
    startSeconds,
    endSeconds: rate ? startSeconds + index.frames / toNumber(rate) : endSeconds,
    frames: index.frames,
    constantRate: rate && isRate(rate) ? rate : null,
    averageFps: index.frames / (endSeconds - startSeconds),
    keyFrames: index.keyTicks.map(seconds).sort((a, b) => a - b),
    extents: index.extents.map(({ ticks, from, to }) => ({ seconds: seconds(ticks), from, to })),
  };
}

const isRate = (rate: Rational) =>
  toNumber(rate) >= LOWEST_FPS && toNumber(rate) <= HIGHEST_FPS && rate.num <= FINEST && rate.den <= FINEST;

interface Where {
  url: string;
  container: Container;
  bytes: number;
}

type Timelines = Pick<SourceAnalysis, 'timeline' | 'audio' | 'isOpen'>;

async function wholeTimelines(
  where: Where,
  probe: Probe,
  video: ProbedVideo,
  { moov, index }: { moov: Buffer | null; index: TrackIndex | null },
  options: ProbeOptions,
): Promise<Timelines> {
  const { url, container, bytes } = where;
  const stream = { index: video.index, ratePerTick: ratePerTick(video), bytes };
  const timeline = index
    ? fromIndex(index)
    : fromPackets(await scanPackets(url, container, stream, options), video);
  return {
    timeline,
    audio: await audioTimeline(probe, moov, url, container, bytes, timeline, options),
    isOpen: false,
  };
}

/** Sound that has not begun so long after the picture does not count as a track of a source that is arriving. */
const SILENT_SECONDS = 15;

/** As much as a plan can begin with. */
async function openTimelines(
  { url, container, bytes }: Where,
  probe: Probe,
  video: ProbedVideo,
  options: ProbeOptions,
): Promise<Timelines> {
  const { audio } = probe;
  const tick = toNumber(video.timeBase);
  const known = await followPackets(
    url,
    container,
    { video: { index: video.index, ratePerTick: ratePerTick(video) }, audio, bytes },
    options,
    async (so) => {
      const seconds = so.video ? (so.video.endTicks - so.video.startTicks) * tick : 0;
      return (
        seconds >= (options.openingSeconds ?? 0) && (!audio || so.audio !== null || seconds > SILENT_SECONDS)
      );
    },
  );
  return { ...timelinesOf(known, video, audio, !known.ended), isOpen: !known.ended };
}

/** What the packets that have been read say; `isOpen`: more will follow. */
export function timelinesOf(
  known: Followed,
  video: ProbedVideo,
  audio: ProbedAudio | null,
  isOpen: boolean,
): { timeline: VideoTimeline; audio: SourceAnalysis['audio'] } {
  const timeline = fromPackets(known.video, video, isOpen);
  const tick = audio ? toNumber(audio.timeBase) : 0;
  const heard =
    audio && known.audio && known.audio.startTicks * tick < timeline.endSeconds
      ? { ...audio, startSeconds: known.audio.startTicks * tick, endSeconds: known.audio.endTicks * tick }
      : null;
  return { timeline, audio: heard };
}

const nominalOf = (video: ProbedVideo) =>
  video.nominalRate && isRate(video.nominalRate) ? video.nominalRate : null;

export const ratePerTick = (video: ProbedVideo) => {
  const nominal = nominalOf(video);
  return nominal ? toNumber(nominal) * toNumber(video.timeBase) : null;
};

function fromPackets(scan: PacketTimeline | null, video: ProbedVideo, isOpen = false): VideoTimeline {
  if (!scan) throw new SluiceError('no_video_stream', 'The video track has no frame that can be shown.');
  const tick = toNumber(video.timeBase);
  const isConstant = isOpen ? scan.isConstantSoFar : scan.isConstant;
  const constantRate = isConstant ? nominalOf(video) : null;
  const startSeconds = scan.startTicks * tick;
  const endSeconds = constantRate
    ? startSeconds + scan.packets / toNumber(constantRate)
    : scan.endTicks * tick;
  return {
    startTicks: scan.startTicks,
    timeBase: video.timeBase,
    startSeconds,
    endSeconds,
    frames: scan.packets,
    constantRate,
    averageFps: scan.packets / Math.max(endSeconds - startSeconds, 0.001),
    keyFrames: scan.keyTicks.map((ticks) => ticks * tick),
    extents: null,
  };
}

async function audioTimeline(
  probe: Probe,
  moov: Buffer | null,
  url: string,
  container: Container,
  bytes: number,
  video: VideoTimeline,
  options: ProbeOptions,
): Promise<SourceAnalysis['audio']> {
  const { audio } = probe;
  if (!audio) return null;
  const times = moov && audio.id > 0 ? trackTimes(moov, audio.id) : null;
  if (times) {
    const seconds = (ticks: number) => ticks / times.timescale;
    return { ...audio, startSeconds: seconds(times.startTicks), endSeconds: seconds(times.endTicks) };
  }
  const scan = await scanPackets(url, container, { index: audio.index, ratePerTick: null, bytes }, options);
  if (!scan) return null;
  const tick = toNumber(audio.timeBase);
  const startSeconds = scan.startTicks * tick;
  // A track that has nothing while there is a picture is no track.
  if (startSeconds >= video.endSeconds) return null;
  return { ...audio, startSeconds, endSeconds: scan.endTicks * tick };
}
