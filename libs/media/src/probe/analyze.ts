import { SluiceError } from '#contracts';
import { type Container, SOURCE_LIMITS, sniffContainer } from '../ffmpeg/allow-lists.js';
import { indexTrack, readMoov, type TrackIndex } from '../isobmff/index-reader.js';
import { type Rational, reduce, toNumber } from '../plan/rational.js';
import { findObstacle } from './copy-fitness.js';
import { type Probe, type ProbedAudio, type ProbedVideo, type ProbeOptions, probeSource } from './ffprobe.js';
import { scanPackets } from './packet-scan.js';
import type { SourceReader } from './source.js';
import type { VideoTimeline } from './timeline.js';

export interface AudioTimeline {
  startSeconds: number;
  endSeconds: number;
}

export interface SourceAnalysis {
  container: Container;
  video: ProbedVideo;
  timeline: VideoTimeline;
  audio: (ProbedAudio & AudioTimeline) | null;
  bitRate: number;
  /** Null: fit to be copied. Else the first reason why not, in words. */
  copyObstacle: string | null;
}

/** A constant rate must be one that a grid can have. */
const LOWEST_FPS = 1;
const HIGHEST_FPS = 1000;

/** Everything that the plan needs to know of a source. Throws `source_unreadable`, `source_truncated`, `no_video_stream`, `source_too_large`. */
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
  const probe = await probeSource(url, container, options);
  const { video } = probe;
  if (!video)
    throw new SluiceError('no_video_stream', 'The file has no picture in it; a video track is needed.');

  const moov = container === 'mov' ? await readMoov(source) : null;
  const index = moov ? indexTrack(moov, video.id) : null;
  if (index && index.endOffset > source.size) {
    throw new SluiceError(
      'source_truncated',
      `The file ends before its last frame (${source.size} of at least ${index.endOffset} bytes); it was cut off before it was uploaded. Export it again.`,
    );
  }
  const timeline = index ? fromIndex(index) : await fromPackets(url, container, video, source.size, options);
  const length = timeline.endSeconds - timeline.startSeconds;
  if (length > SOURCE_LIMITS.maxDuration) {
    throw new SluiceError(
      'source_too_large',
      `The video is ${Math.round(length / 3600)} hours long; at most ${SOURCE_LIMITS.maxDuration / 3600} are processed.`,
    );
  }
  const audio = await audioTimeline(probe, moov, url, container, source.size, timeline, options);
  const bitRate = probe.bitRate ?? Math.round((source.size * 8) / Math.max(length, 0.1));
  const copyObstacle = await findObstacle({ video, index, timeline, bitRate, source });
  return { container, video, timeline, audio, bitRate, copyObstacle };
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
    keyFrames: index.sync.map((s) => seconds(s.ticks)).sort((a, b) => a - b),
  };
}

const isRate = (rate: Rational) => toNumber(rate) >= LOWEST_FPS && toNumber(rate) <= HIGHEST_FPS;

async function fromPackets(
  url: string,
  container: Container,
  video: ProbedVideo,
  bytes: number,
  options: ProbeOptions,
): Promise<VideoTimeline> {
  const tick = toNumber(video.timeBase);
  const nominal = video.nominalRate && isRate(video.nominalRate) ? video.nominalRate : null;
  const scan = await scanPackets(
    url,
    container,
    { index: video.index, ratePerTick: nominal ? toNumber(nominal) * tick : null, bytes },
    options,
  );
  if (!scan) throw new SluiceError('no_video_stream', 'The video track has no frame that can be shown.');
  const constantRate = scan.isConstant ? nominal : null;
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
  const index = moov && audio.id > 0 ? indexTrack(moov, audio.id) : null;
  if (index) {
    const seconds = (ticks: number) => ticks / index.timescale;
    return { ...audio, startSeconds: seconds(index.startTicks), endSeconds: seconds(index.endTicks) };
  }
  const scan = await scanPackets(url, container, { index: audio.index, ratePerTick: null, bytes }, options);
  if (!scan) return null;
  const tick = toNumber(audio.timeBase);
  const startSeconds = scan.startTicks * tick;
  // A track that has nothing while there is a picture is no track.
  if (startSeconds >= video.endSeconds) return null;
  return { ...audio, startSeconds, endSeconds: scan.endTicks * tick };
}
