import type { TrackRole } from '#contracts';
import { type Container, type InputLimits, probeGuards } from '../ffmpeg/allow-lists.js';
import { parseRational, type Rational } from '../plan/rational.js';
import { type SourceLimits, tooLarge } from './limits.js';
import { namesTooManyPixels, type ProbeOptions, runProbe, unreadable } from './run-probe.js';
import { isDecodable, TEXT_CODECS, wordsOf } from './track-words.js';

export interface ProbedVideo {
  index: number;
  /** Track id in ISO-BMFF, PID in a transport stream. */
  id: number;
  codec: string;
  profile: string;
  pixelFormat: string;
  width: number;
  height: number;
  /** Clockwise quarter turns for an upright picture: 0, 90, 180, 270. */
  rotation: number;
  sampleAspect: Rational;
  timeBase: Rational;
  nominalRate: Rational | null;
  averageRate: Rational | null;
  /** `flagged`: the header does not say, but frames of this codec may. */
  interlaced: boolean | 'flagged';
  /** As ffprobe names them; empty when the file does not say. */
  transfer: string;
  primaries: string;
  matrix: string;
  /** `pc`: 0 to 255. */
  range: string;
}

export interface ProbedAudio extends TrackWords {
  index: number;
  id: number;
  timeBase: Rational;
  codec: string;
  channels: number;
}

/** What a file says of an audio or subtitle track, made safe to show. */
export interface TrackWords {
  /** BCP 47. */
  language: string | null;
  title: string | null;
  role: TrackRole;
}

export interface ProbedSubtitles extends TrackWords {
  index: number;
}

export interface Probe {
  durationSeconds: number | null;
  bitRate: number | null;
  video: ProbedVideo | null;
  /** The default track, and those after it in the order of the file, of codecs that we decode. */
  audio: ProbedAudio | null;
  otherAudio: ProbedAudio[];
  /** Tracks of text. */
  subtitles: ProbedSubtitles[];
}

const MAY_BE_INTERLACED = ['mpeg2video', 'mpeg4', 'h264', 'hevc', 'dvvideo', 'prores', 'mjpeg'];
const LARGEST_ANSWER = 1024 * 1024;

/** Only what is read below: a file may carry tags of any length. */
const ENTRIES = [
  'stream=index,id,codec_type,codec_name,profile,pix_fmt,width,height,sample_aspect_ratio,time_base',
  'r_frame_rate,avg_frame_rate,field_order,color_range,color_space,color_transfer,color_primaries,channels',
].join(',');
const DISPOSITIONS = 'attached_pic,default,forced,dub,comment,hearing_impaired,visual_impaired';
const SHOWN = `${ENTRIES}:stream_disposition=${DISPOSITIONS}:stream_tags=language,title,handler_name:stream_side_data=rotation:format=duration,bit_rate`;

/** `input`: options of the input beside the guards. */
export function headerArguments(
  url: string,
  container: Container,
  limits: InputLimits,
  input: string[] = [],
): string[] {
  return [
    ...['-v', 'error', '-hide_banner', ...probeGuards(container, limits), ...input],
    ...['-show_entries', SHOWN, '-of', 'json', '-i', url],
  ];
}

/** Reads the header of `url` (our own loopback source) with an explicit demuxer. */
export async function probeSource(
  url: string,
  container: Container,
  options: ProbeOptions,
  input: string[] = [],
): Promise<Probe> {
  const { limits } = options;
  const lines: string[] = [];
  let size = 0;
  const stderr = await runProbe(options, headerArguments(url, container, limits, input), {
    limitMs: limits.probeTimeoutSeconds * 1000,
    onLine: (line) => {
      size += line.length;
      if (size <= LARGEST_ANSWER) lines.push(line);
    },
  });
  const probe = readProbe(parse(lines.join('\n')), limits);
  if (!probe.video && namesTooManyPixels(stderr)) throw tooLarge(limits.maxPixels);
  return probe;
}

function parse(answer: string): RawProbe {
  try {
    return JSON.parse(answer) as RawProbe;
  } catch (error) {
    throw unreadable(error);
  }
}

interface RawStream {
  index: number;
  id?: string;
  codec_type?: string;
  codec_name?: string;
  profile?: string;
  pix_fmt?: string;
  width?: number;
  height?: number;
  sample_aspect_ratio?: string;
  time_base?: string;
  r_frame_rate?: string;
  avg_frame_rate?: string;
  field_order?: string;
  color_range?: string;
  color_space?: string;
  color_transfer?: string;
  color_primaries?: string;
  channels?: number;
  disposition?: Record<string, number>;
  tags?: { language?: string; title?: string; handler_name?: string };
  side_data_list?: { rotation?: number }[];
}

interface RawProbe {
  streams?: RawStream[];
  format?: { duration?: string; bit_rate?: string };
}

function readProbe(raw: RawProbe, limits: SourceLimits): Probe {
  const streams = raw.streams ?? [];
  const videos = streams.filter(
    (s) => s.codec_type === 'video' && s.disposition?.attached_pic !== 1 && (s.width ?? 0) > 0,
  );
  const audios = streams.filter(
    (s) => s.codec_type === 'audio' && s.codec_name !== undefined && (s.channels ?? 0) > 0,
  );
  const preferred = (list: RawStream[]) => list.find((s) => s.disposition?.default === 1) ?? list[0];
  const video = preferred(videos);
  const audio = preferred(audios);
  const duration = Number(raw.format?.duration);
  return {
    durationSeconds: Number.isFinite(duration) && duration > 0 ? duration : null,
    bitRate: Number(raw.format?.bit_rate) || null,
    video: video ? readVideo(video, limits) : null,
    audio: audio ? readAudio(audio, 'main') : null,
    otherAudio: audios
      .filter((stream) => stream !== audio && isDecodable(stream.codec_name ?? ''))
      .map((stream) => readAudio(stream, 'alternate')),
    subtitles: streams
      .filter((s) => s.codec_type === 'subtitle' && TEXT_CODECS.includes(s.codec_name ?? ''))
      .map((stream) => ({ index: stream.index, ...wordsOf(stream, 'subtitle') })),
  };
}

function readAudio(stream: RawStream, role: TrackRole): ProbedAudio {
  return {
    index: stream.index,
    id: streamId(stream),
    timeBase: parseRational(stream.time_base) ?? { num: 1, den: 48_000 },
    codec: stream.codec_name ?? '',
    channels: stream.channels ?? 1,
    ...wordsOf(stream, role),
  };
}

const isInterlaced = ({ field_order = 'unknown', codec_name = '' }: RawStream) =>
  ['tt', 'bb', 'tb', 'bt'].includes(field_order) ||
  (field_order === 'unknown' && MAY_BE_INTERLACED.includes(codec_name) && 'flagged');

const streamId = (stream: RawStream) => Number.parseInt(stream.id ?? '0', 16) || 0;

function readVideo(stream: RawStream, limits: SourceLimits): ProbedVideo {
  const [width, height] = [stream.width ?? 0, stream.height ?? 0];
  if (width * height > limits.maxPixels) throw tooLarge(limits.maxPixels, { width, height });
  const matrix = stream.side_data_list?.find((s) => s.rotation !== undefined)?.rotation ?? 0;
  return {
    index: stream.index,
    id: streamId(stream),
    codec: stream.codec_name ?? '',
    profile: stream.profile ?? '',
    pixelFormat: stream.pix_fmt ?? '',
    width,
    height,
    rotation: (((Math.round(-matrix / 90) * 90) % 360) + 360) % 360,
    sampleAspect: parseRational(stream.sample_aspect_ratio) ?? { num: 1, den: 1 },
    timeBase: parseRational(stream.time_base) ?? { num: 1, den: 90_000 },
    nominalRate: parseRational(stream.r_frame_rate),
    averageRate: parseRational(stream.avg_frame_rate),
    interlaced: isInterlaced(stream),
    transfer: stream.color_transfer ?? '',
    primaries: stream.color_primaries ?? '',
    matrix: stream.color_space ?? '',
    range: stream.color_range ?? '',
  };
}
