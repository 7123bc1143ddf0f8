import { QUALITIES, type Quality } from './media.js';

/** What the pictures of a profile are encoded as. */
export const CODECS = ['h264', 'hevc', 'av1'] as const;
export type Codec = (typeof CODECS)[number];

/** By ffmpeg's names. Those that begin with `lib` are software, all others need a device. */
export const ENCODERS = {
  h264: [
    ...(['libx264', 'h264_nvenc', 'h264_qsv', 'h264_vaapi', 'h264_videotoolbox'] as const),
    'h264_v4l2m2m',
  ],
  hevc: [
    ...(['libx265', 'hevc_nvenc', 'hevc_qsv', 'hevc_vaapi', 'hevc_videotoolbox'] as const),
    'hevc_v4l2m2m',
  ],
  av1: ['libsvtav1', 'libaom-av1', 'av1_nvenc', 'av1_qsv', 'av1_vaapi'],
} as const satisfies Record<Codec, readonly string[]>;
export type EncoderName = (typeof ENCODERS)[Codec][number];
export const ENCODER_NAMES: readonly EncoderName[] = CODECS.flatMap((codec) => ENCODERS[codec]);

export const isHardware = (encoder: EncoderName): boolean => !encoder.startsWith('lib');

/** Fastest first; each encoder has its own word for them. */
export const ENCODER_PRESETS = [
  ...(['ultrafast', 'superfast', 'veryfast', 'faster', 'fast', 'medium', 'slow'] as const),
] as const;
export type EncoderPreset = (typeof ENCODER_PRESETS)[number];

/** A profile's name stands in rows, before a `;` (profileKey), and in requests. */
export const PROFILE_NAME = /^[a-z0-9][a-z0-9-]{0,31}$/;
export type ProfileName = string;

export interface ProfileRung {
  name: Quality;
  /** Bits per second up to 32 frames a second; half as much again above. */
  maxRate: number;
  /** Null: the profile's. */
  crf: number | null;
}

/** What uploads are made into: a codec, who encodes it, and the ladder. */
export interface Profile {
  name: ProfileName;
  codec: Codec;
  /** The first one that works is taken. */
  encoders: readonly EncoderName[];
  /** Null: ENCODER_PRESET. */
  preset: EncoderPreset | null;
  /** On the codec's scale: 0–51, of AV1 0–63. */
  crf: number;
  /** Top first. */
  rungs: readonly ProfileRung[];
  maxFrameRate: number;
  /** Bits per second of a stereo track; null: 128,000, and 80,000 for one channel. */
  audioBitRate: number | null;
  /** A source of this codec that is fit is copied as its own top rung. */
  copy: boolean;
}

/** What looks alike: the scale of x265 is x264's moved by three, AV1's is another one. */
export const USUAL_CRF: Record<Codec, number> = { h264: 23, hevc: 26, av1: 35 };
export const FASTEST_FRAMES = 60;
const RATES: Record<Quality, number> = {
  '1080p': 5_000_000,
  '720p': 2_800_000,
  '480p': 1_400_000,
  '360p': 800_000,
  '240p': 400_000,
};

/** `rate`: bits for the same picture, against H.264's. */
const builtIn = (name: string, codec: Codec, encoders: readonly EncoderName[], rate: number): Profile => ({
  ...{ name, codec, encoders, preset: null, crf: USUAL_CRF[codec] },
  rungs: QUALITIES.map((rung) => ({ name: rung, maxRate: Math.round(RATES[rung] * rate), crf: null })),
  ...{ maxFrameRate: FASTEST_FRAMES, audioBitRate: null, copy: true },
});

export const USUAL_PROFILE = builtIn('default', 'h264', ['libx264'], 1);
/** There without any configuration; a file may put others in their place. */
export const BUILT_IN_PROFILES: readonly Profile[] = [
  USUAL_PROFILE,
  builtIn('hevc', 'hevc', ['libx265'], 0.65),
  builtIn('av1', 'av1', ['libsvtav1', 'libaom-av1'], 0.55),
];
