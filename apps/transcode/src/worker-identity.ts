import { randomUUID } from 'node:crypto';
import { type FfmpegAbilities, NO_ABILITIES } from '#media';

/** Who this process is: its row in `workers`, and what its encoder is. Set once, before any work is taken. */
export class WorkerIdentity {
  readonly id = `w-${randomUUID()}`;
  ffmpegVersion = '';
  abilities: FfmpegAbilities = NO_ABILITIES;
}
