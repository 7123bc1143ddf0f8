import { SluiceError } from '#contracts';
import type { InputLimits } from '../ffmpeg/allow-lists.js';

/** What a source may be (docs/security.md); each has a refusal of its own. */
export interface SourceLimits extends InputLimits {
  maxDurationSeconds: number;
  /** Bits per second over the whole file. */
  maxBitRate: number;
  /** Below this a few bytes would stand for hours of pictures to encode. */
  minBitRate: number;
  /** Frames per second on average. */
  maxFrameRate: number;
  probeTimeoutSeconds: number;
  /** Address space of one ffprobe. */
  probeMemoryBytes: number;
}

export interface Measured {
  bytes: number;
  /** From the first picture or sound to the last. */
  seconds: number;
  frames: number;
}

/** A clip of a few frames has no rate worth the name. */
const ALLOWANCE_SECONDS = 1;
const ALLOWANCE_BYTES = 1024;

/** Throws what the whole of a source breaks; pixels and streams are found by the probe. */
export function refuseBeyond(limits: SourceLimits, { bytes, seconds, frames }: Measured): void {
  // Also what is no number at all: tables that lie may add up to anything.
  if (!(seconds <= limits.maxDurationSeconds)) throw tooLong(seconds, limits.maxDurationSeconds);
  const bits = bytes * 8;
  if (bits > limits.maxBitRate * (seconds + ALLOWANCE_SECONDS)) {
    throw new SluiceError(
      'source_bit_rate_too_high',
      `The file has ${bytes} bytes for ${seconds.toFixed(1)} s of video, more than ${limits.maxBitRate} bits a second; export it at a lower rate.`,
    );
  }
  if ((bytes + ALLOWANCE_BYTES) * 8 < limits.minBitRate * seconds) {
    throw new SluiceError(
      'source_bit_rate_too_low',
      `The file has only ${bytes} bytes for ${Math.round(seconds)} s of video; export it again with pictures all along.`,
    );
  }
  if (frames > limits.maxFrameRate * (seconds + ALLOWANCE_SECONDS)) {
    throw new SluiceError(
      'source_frame_rate_too_high',
      `The video has ${frames} frames in ${seconds.toFixed(1)} s; at most ${limits.maxFrameRate} a second are processed.`,
    );
  }
}

export const tooLarge = (maxPixels: number, size?: { width: number; height: number }) =>
  new SluiceError(
    'source_too_large',
    `The picture ${size ? `has ${size.width}×${size.height} pixels` : 'is too large'}; at most ${maxPixels} pixels are processed. Export it in a smaller size.`,
  );

export const tooManyStreams = (maxStreams: number) =>
  new SluiceError(
    'source_too_many_streams',
    `The file has more than ${maxStreams} tracks; export it with those that are needed.`,
  );

const tooLong = (seconds: number, maximum: number) =>
  new SluiceError(
    'source_too_long',
    `The video is ${Number.isFinite(seconds) ? `${Math.round(seconds)} s` : 'without end'} long; at most ${maximum} s are processed. Cut it into parts.`,
  );
