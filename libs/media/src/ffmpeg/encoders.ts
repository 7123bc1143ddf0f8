import { type EncoderName, type EncoderPreset, isHardware } from '#contracts';
import type { ColorPlan } from '../plan/color.js';
import type { PlannedEncoder } from '../plan/plan.js';
import { encoderTags } from './color-filters.js';

/** What one rung wants of the encoder that the plan has for all of them. */
export interface RungWish {
  /** Bits per second that no second of it exceeds by much. */
  maxRate: number;
  /** Of this rung; else the plan's. */
  crf?: number;
}

type Wish = Omit<PlannedEncoder, 'name'> & Required<RungWish>;

/** Longer than any span: a key frame stands where it is asked for, and nowhere else. */
const ENDLESS = '99999';
/** Encoders that know no constant quality aim at so much of the highest rate. */
const AIM = 0.7;

/** Speeds of SVT-AV1 (0–13) and libaom (0–8), of about the place among theirs. */
const SVT: Record<EncoderPreset, number> = {
  ...{ ultrafast: 12, superfast: 11, veryfast: 10, faster: 9 },
  ...{ fast: 8, medium: 7, slow: 5 },
};
const AOM: Record<EncoderPreset, number> = {
  ...{ ultrafast: 8, superfast: 8, veryfast: 8, faster: 7 },
  ...{ fast: 7, medium: 6, slow: 5 },
};
const NVENC: Record<EncoderPreset, string> = {
  ...{ ultrafast: 'p1', superfast: 'p2', veryfast: 'p3', faster: 'p4' },
  ...{ fast: 'p5', medium: 'p6', slow: 'p7' },
};
const QSV: Record<EncoderPreset, string> = {
  ...{ ultrafast: 'veryfast', superfast: 'veryfast', veryfast: 'veryfast', faster: 'faster' },
  ...{ fast: 'fast', medium: 'medium', slow: 'slow' },
};

const capped = ({ maxRate }: Wish) => ['-maxrate', String(maxRate), '-bufsize', String(maxRate)];
const aimed = (wish: Wish) => ['-b:v', String(Math.round(wish.maxRate * AIM)), ...capped(wish)];

const x264 = (wish: Wish) => [
  ...['-preset', wish.preset, '-crf', String(wish.crf), ...capped(wish)],
  ...['-threads', String(wish.threads), '-forced-idr', '1'],
  ...['-x264-params', 'keyint=infinite:scenecut=0:open-gop=0'],
];
/** Safari takes HEVC with its parameter sets in the init segment only, which is what `hvc1` says. */
const HVC1 = ['-tag:v', 'hvc1'];
const x265 = (wish: Wish) => [
  ...['-preset', wish.preset, '-crf', String(wish.crf), ...capped(wish), '-forced-idr', '1', ...HVC1],
  '-x265-params',
  `keyint=-1:scenecut=0:open-gop=0:frame-threads=${Math.min(16, wish.threads)}:pools=${wish.threads}:info=0:log-level=error`,
];
/** Forced key frames need the flag, which works with constant quality only (SVT-AV1 1.4). */
const svtAv1 = (wish: Wish) => [
  ...['-preset', String(SVT[wish.preset]), '-crf', String(wish.crf), ...capped(wish), '-g', ENDLESS],
  ...['-svtav1-params', `enable-force-key-frames=1:lp=${wish.threads}`],
];
/** Of usage `good` the muxer takes other frames for key frames, too (libaom 3.6 with ffmpeg 5.1). */
const aomAv1 = (wish: Wish) => [
  ...['-usage', 'realtime', '-cpu-used', String(AOM[wish.preset]), '-row-mt', '1'],
  ...[
    '-crf',
    String(wish.crf),
    '-b:v',
    String(wish.maxRate),
    '-g',
    ENDLESS,
    '-threads',
    String(wish.threads),
  ],
];
const nvenc = (wish: Wish) => [
  ...['-preset', NVENC[wish.preset], '-rc', 'vbr', '-cq', String(wish.crf), '-b:v', '0', ...capped(wish)],
  ...['-forced-idr', '1', '-g', ENDLESS],
];
const qsv = (wish: Wish) => [
  ...['-preset', QSV[wish.preset], ...aimed(wish), '-forced_idr', '1', '-g', ENDLESS, '-bf', '0'],
];
const vaapi = (wish: Wish) => [...aimed(wish), '-g', ENDLESS, '-bf', '0'];
const videotoolbox = (wish: Wish) => [...aimed(wish), '-allow_sw', '0', '-g', ENDLESS];
const v4l2 = (wish: Wish) => [...aimed(wish), '-g', ENDLESS, '-bf', '0'];

const OPTIONS: Record<EncoderName, (wish: Wish) => string[]> = {
  libx264: x264,
  h264_nvenc: nvenc,
  h264_qsv: qsv,
  h264_vaapi: vaapi,
  h264_videotoolbox: videotoolbox,
  h264_v4l2m2m: v4l2,
  libx265: x265,
  hevc_nvenc: (wish) => [...nvenc(wish), ...HVC1],
  hevc_qsv: (wish) => [...qsv(wish), ...HVC1],
  hevc_vaapi: (wish) => [...vaapi(wish), ...HVC1],
  hevc_videotoolbox: (wish) => [...videotoolbox(wish), ...HVC1],
  hevc_v4l2m2m: (wish) => [...v4l2(wish), ...HVC1],
  libsvtav1: svtAv1,
  'libaom-av1': aomAv1,
  av1_nvenc: nvenc,
  av1_qsv: qsv,
  av1_vaapi: vaapi,
};

/** Part of a rendition's encoder fingerprint, so the order and every value count. */
export function encodingOptions(encoder: PlannedEncoder, rung: RungWish, color?: ColorPlan): string[] {
  const { name, ...common } = encoder;
  const wish = { ...common, maxRate: rung.maxRate, crf: rung.crf ?? encoder.crf };
  return ['-c:v', name, ...OPTIONS[name](wish), ...(color ? encoderTags(color) : [])];
}

/** The first render node; a machine with more of them gives a container the one that it may use. */
const VAAPI_DEVICE = '/dev/dri/renderD128';

/** Before the input: the device that pictures are sent to. Sources are always decoded in software. */
export const deviceOptions = (name: EncoderName): string[] =>
  name.endsWith('_vaapi') ? ['-vaapi_device', VAAPI_DEVICE] : [];

/** What brings a picture to the encoder, as filters; empty where it takes what our filters give. */
export function uploadFilters(name: EncoderName): string {
  if (name.endsWith('_vaapi')) return 'format=nv12,hwupload';
  return name.endsWith('_qsv') ? 'format=nv12' : '';
}

/** libaom says what belongs into the init segment with its first frame only. */
export const muxingOf = (name: EncoderName): string => (name === 'libaom-av1' ? '+delay_moov' : '');

/** Drivers reserve far more addresses than memory: a bound on the one says nothing about the other. */
export const boundedMemory = (name: EncoderName, bytes: number): { memoryBytes?: number } =>
  isHardware(name) ? {} : { memoryBytes: bytes };
