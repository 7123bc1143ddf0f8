import { randomUUID } from 'node:crypto';
import type { EncoderName } from '#contracts';
import { type FfmpegAbilities, NO_ABILITIES } from '#media';

/** Who this process is: its row in `workers`, and what its ffmpeg is. Set once, before any work is taken. */
export class WorkerIdentity {
  readonly id = `w-${randomUUID()}`;
  ffmpegVersion = '';
  abilities: FfmpegAbilities = NO_ABILITIES;
  /** Those that ffmpeg lists and that have not failed here; grows and shrinks as they are tried. */
  encoders: Set<EncoderName> = new Set();
}
