import ffmpeg from 'fluent-ffmpeg';
import { AUDIO_RENDITIONS, type RenditionName } from '#contracts';
import { AAC_FRAME } from '../plan/borders.js';
import { frameTime } from '../plan/grid.js';
import type { Plan, PlannedRendition } from '../plan/plan.js';
import type { AudioTrack } from '../plan/tracks.js';
import { DEFAULT_INPUT_LIMITS, inputGuards, TEXT_DECODERS } from './allow-lists.js';
import { colorConversion, frameTags, scaleOptions } from './color-filters.js';
import { deviceOptions, encodingOptions, muxingOf, uploadFilters } from './encoders.js';

/**
 * Builds every ffmpeg command line; the only file that knows fluent-ffmpeg, which is archived and is
 * used for what it does well: putting arguments in order. supervised.ts runs them.
 */
export interface VideoOutput {
  rendition: PlannedRendition;
  /** The first segment that this run makes of it. */
  firstSegment: number;
  /** `unix:…` or a file. */
  target: string;
}

export interface VideoRun {
  source: string;
  seekSeconds: number | null;
  /** One past the last segment. */
  endSegment: number;
  /** Somebody waits for this run: more frames are decoded at once, for more memory. The pictures are the same. */
  urgent?: boolean;
  outputs: VideoOutput[];
}

export const GLOBALS = [
  '-nostdin',
  '-hide_banner',
  '-v',
  'warning',
  '-nostats',
  '-progress',
  'pipe:1',
  '-stats_period',
  '0.5',
];

/** Nothing of the source's own, and no edit list: the cutters write what is needed. */
const MUXING = [
  ...['-use_editlist', '0', '-map_metadata', '-1', '-map_chapters', '-1'],
  ...['-fflags', '+bitexact', '-f', 'mp4'],
];

/**
 * Fragmented MP4 with one fragment for each key frame. The muxer's decode times and edit list are of no
 * use for spans that are encoded apart; the cutter writes both (cut/video-cutter.ts).
 */
export const fragments = (options = ''): string[] => [
  ...['-movflags', `frag_keyframe+empty_moov${options}+default_base_moof+frag_discont+skip_trailer`],
  ...MUXING,
];

const DECODER_THREADS = { usual: 2, urgent: 4 };

export const guardsOf = (plan: Plan) => inputGuards(plan.container, plan.limits ?? DEFAULT_INPUT_LIMITS);

/** One decode, all encoded rungs of a span. */
export function videoRun(plan: Plan, run: VideoRun): string[] {
  const { encoder } = plan;
  const upload = uploadFilters(encoder.name);
  const command = ffmpeg(run.source).inputOptions([
    ...deviceOptions(encoder.name),
    ...['-copyts', '-noaccurate_seek'],
    ...(run.seekSeconds === null ? [] : ['-ss', run.seekSeconds.toFixed(6)]),
    ...['-threads', String(run.urgent ? DECODER_THREADS.urgent : DECODER_THREADS.usual)],
    ...guardsOf(plan),
  ]);
  command.complexFilter([
    ...videoFilters(plan, run),
    ...(upload ? run.outputs.map((_, i) => `[v${i}]${upload}[u${i}]`) : []),
  ]);
  run.outputs.forEach((output, i) => {
    command
      .output(output.target)
      .outputOptions([
        ...['-map', `[${upload ? 'u' : 'v'}${i}]`, '-an', '-sn', '-dn'],
        ...encodingOptions(encoder, output.rendition, plan.video.color),
        ...['-force_key_frames', keyFrameTimes(plan, output.firstSegment, run.endSegment)],
        ...['-fps_mode', 'passthrough', '-video_track_timescale', String(plan.grid.timescale)],
        ...fragments(muxingOf(encoder.name)),
      ]);
  });
  return argumentsOf(command, ['-filter_complex_threads', '1']);
}

/**
 * The source on the grid, from the first frame that any output needs to the last; an output that begins
 * later drops what comes before it. Times are counted from the plan's zero.
 */
export function videoFilters(plan: Plan, run: VideoRun): string[] {
  const { fps } = plan.grid;
  const { color } = plan.video;
  const first = Math.min(...run.outputs.map((output) => output.firstSegment));
  const startFrame = plan.borders[first] as number;
  const endFrame = plan.borders[run.endSegment] as number;
  const isLast = run.endSegment === plan.borders.length - 1;
  const source = [
    `[0:${plan.video.streamIndex}]setpts=PTS-(${plan.video.zeroTicks})`,
    ...deinterlace(plan.video.deinterlace),
    `fps=fps=${fps.num}/${fps.den}${run.seekSeconds === null ? ':start_time=0' : ''}`,
    // A stream may end a little before its header says; more than a second is an error that the cutter sees.
    ...(isLast ? [`tpad=stop_mode=clone:stop=${plan.video.holdEnd + Math.ceil(fps.num / fps.den)}`] : []),
    `trim=start_pts=${startFrame}:end_pts=${endFrame}`,
    ...conversionFor(plan, run.outputs),
    `split=${run.outputs.length}${run.outputs.map((_, i) => `[s${i}]`).join('')}`,
  ].join(',');
  const rungs = run.outputs.map((output, i) => {
    const ownStart = plan.borders[output.firstSegment] as number;
    return [
      `[s${i}]${ownStart > startFrame ? `trim=start_pts=${ownStart},` : ''}`,
      `scale=${output.rendition.width}:${output.rendition.height}:flags=bicubic${color ? scaleOptions(color) : ''}`,
      `,setsar=1,format=yuv420p${color ? `,${frameTags(color)}` : ''}[v${i}]`,
    ].join('');
  });
  return [source, ...rungs];
}

/** One picture of each two fields: the grid stays that of the frames. The first field's place is what each frame says. */
const deinterlace = (which: Plan['video']['deinterlace']): string[] =>
  which ? [`bwdif=mode=send_frame${which === 'flagged' ? ':deint=interlaced' : ''}`] : [];

/** Costs more than all else, so it is done once, on pictures that are no larger than the largest rung of the run. */
function conversionFor({ video: { color } }: Plan, outputs: VideoOutput[]): string[] {
  const filters = color ? colorConversion(color) : [];
  const widest = Math.max(...outputs.map(({ rendition }) => rendition.width ?? 0));
  const largest = outputs.find(({ rendition }) => rendition.width === widest)?.rendition;
  return filters.length === 0 || !largest
    ? []
    : [`scale=${largest.width}:${largest.height}:flags=bicubic`, ...filters];
}

/** Absolute times inside the span only: an entry in the past would make one of the first frames a key frame each. */
function keyFrameTimes(plan: Plan, firstSegment: number, endSegment: number): string {
  return plan.borders
    .slice(firstSegment, endSegment)
    .map((frame) => frameTime(plan.grid, frame).toFixed(6))
    .join(',');
}

/** What the encoder has looked at beyond a frame is part of the frame: so much more than is wanted is encoded. */
const AAC_LOOKAHEAD_FRAMES = 8;

/** A run that begins so late or later does not begin at the source's start (seconds). */
const RESUME_FROM_SECONDS = 20;
/** Before what is wanted: so much is decoded for the decoder, and so many frames are encoded for the encoder. */
const AUDIO_SEEK_SECONDS = 2;
const AAC_PREROLL_FRAMES = 32;
/** The frame with which ffmpeg's AAC encoder begins holds nothing of the sound; all later ones are a frame late. */
const AAC_PRIMING_FRAMES = 1;

/**
 * How an audio run that is wanted from `firstSegment` on begins: at the source's start, where that is near,
 * so that it gives the very frames of every other run; else a little before, for the encoder to be in the
 * state that it would have had. `dropFrames` come out before the frame that is wanted first.
 */
export function audioStart(
  plan: Plan,
  firstSegment: number,
): { firstFrame: number; seekSeconds: number | null; dropFrames: number } {
  const wanted = plan.audioBorders[firstSegment] as number;
  const seconds = (wanted * AAC_FRAME) / (plan.audio?.sampleRate ?? 48_000);
  const isNear = seconds < RESUME_FROM_SECONDS;
  const firstFrame = isNear ? 0 : wanted - AAC_PREROLL_FRAMES;
  return {
    firstFrame,
    seekSeconds: isNear ? null : plan.zeroSeconds + seconds - AUDIO_SEEK_SECONDS,
    dropFrames: AAC_PRIMING_FRAMES + wanted - firstFrame,
  };
}

/**
 * The audio track in whole AAC frames, whatever the source's track does. `firstSegment`: see audioStart.
 * `endSegment`: one past the last that is wanted.
 */
export function audioRun(
  plan: Plan,
  source: string,
  target: string,
  endSegment?: number,
  firstSegment = 0,
  name: RenditionName = AUDIO_RENDITIONS[0],
): string[] {
  const { streamIndex, channels, sampleRate, bitRate } = audioTrack(plan, name);
  const end = plan.audioBorders.at(-1) as number;
  const wanted = endSegment === undefined ? end : (plan.audioBorders[endSegment] as number);
  const start = audioStart(plan, firstSegment);
  const firstSample = start.firstFrame * AAC_FRAME;
  const last = wanted + AAC_LOOKAHEAD_FRAMES;
  const samples = (plan.isOpen ? last : Math.min(end, last)) * AAC_FRAME - firstSample;
  const command = ffmpeg(source)
    .inputOptions([
      ...['-copyts', '-noaccurate_seek'],
      ...(start.seekSeconds === null ? [] : ['-ss', start.seekSeconds.toFixed(6)]),
      ...guardsOf(plan),
    ])
    .complexFilter([
      [
        `[0:${streamIndex}]asetpts=PTS-(${plan.zeroSeconds.toFixed(9)}/TB)`,
        `aformat=channel_layouts=${channels === 1 ? 'mono' : 'stereo'}`,
        // Apart: a resampler that is told to cut off a beginning forgets its own delay.
        `aresample=${sampleRate},aresample=async=1:first_pts=${firstSample}`,
        `apad=whole_len=${samples},atrim=end_sample=${samples}[a]`,
      ].join(','),
    ])
    .output(target)
    .outputOptions([
      ...['-map', '[a]', '-vn', '-sn', '-dn'],
      ...['-c:a', 'aac', '-b:a', String(bitRate), '-ar', String(sampleRate)],
      ...['-movflags', 'empty_moov+default_base_moof+skip_trailer', '-frag_duration', '500000'],
      ...MUXING,
    ]);
  return argumentsOf(command);
}

/** The track behind an audio rendition. */
export function audioTrack({ audio, tracks }: Plan, name: RenditionName): AudioTrack {
  const track = tracks ? tracks.audio.find((one) => one.name === name) : audio;
  if (!track) throw new Error(`a plan without ${name}`);
  return track;
}

/** A track of text as WebVTT, times on the source's clock; cut/subtitle-cutter.ts makes of it what is served. */
export function subtitleRun(plan: Plan, source: string, target: string, name: RenditionName): string[] {
  const track = plan.tracks?.subtitles.find((one) => one.name === name);
  if (!track) throw new Error(`a plan without ${name}`);
  const guards = inputGuards(plan.container, plan.limits ?? DEFAULT_INPUT_LIMITS, TEXT_DECODERS);
  const command = ffmpeg(source)
    .inputOptions(['-copyts', ...guards])
    .output(target)
    .outputOptions([
      ...['-map', `0:${track.streamIndex}`, '-vn', '-an', '-dn', '-c:s', 'webvtt'],
      ...['-map_metadata', '-1', '-map_chapters', '-1', '-fflags', '+bitexact', '-f', 'webvtt'],
    ]);
  return argumentsOf(command);
}

/**
 * How a source is copied (S4-05): as it is, or with presentation times made where they are missing. The
 * second way leaves good times alone, so that segments of both may stand in one rendition; ignoring decode
 * times, too, would move them by a frame's delay (measured on ffmpeg 5.1).
 */
export type CopyStrategy = 'default' | 'fallback';
const REGENERATED = { default: [], fallback: ['-fflags', '+genpts'] };

/** The copied rung: the source's own pictures, cut at its key frames. */
export function copyRun(
  plan: Plan,
  source: string,
  target: string,
  strategy: CopyStrategy = 'default',
): string[] {
  const command = ffmpeg(source)
    .inputOptions(['-copyts', ...REGENERATED[strategy], ...guardsOf(plan)])
    .output(target)
    .outputOptions([
      ...['-map', `0:${plan.video.streamIndex}`, '-an', '-sn', '-dn', '-c:v', 'copy'],
      ...['-video_track_timescale', String(plan.grid.timescale)],
      ...fragments(),
    ]);
  return argumentsOf(command);
}

function argumentsOf(command: ffmpeg.FfmpegCommand, globals: string[] = []): string[] {
  const built = (command as unknown as { _getArguments(): string[] })._getArguments();
  return [...GLOBALS, ...globals, ...built];
}
