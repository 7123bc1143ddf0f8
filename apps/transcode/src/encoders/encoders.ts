import { Inject, Injectable } from '@nestjs/common';
import type { Environment, Profiles } from '#config';
import { CODECS, ENCODERS, type EncoderName, type Profile, SluiceError, USUAL_PROFILE } from '#contracts';
import { type FfmpegAbilities, tryEncoder } from '#media';
import type { Logger } from '#observability';
import { ENVIRONMENT, LOGGER, PROFILES } from '../tokens.js';
import { WorkerIdentity } from '../worker-identity.js';
import { WorkerEncoders } from './worker-encoders.js';

/** An encoder that the plan has, and this process has not; its message says why. */
export class EncoderMissing extends Error {
  override readonly name = 'EncoderMissing';
}

const [PLAIN] = USUAL_PROFILE.encoders;
/** What failed once may have lacked room, memory or a free session: it is tried again after so long, then less often. */
const TRY_AGAIN_MS = 60_000;
const LONGEST_PAUSE_MS = 15 * 60_000;

/**
 * Which encoders work here. One counts only when it has encoded a few frames, since ffmpeg lists those of
 * devices that are not there; each is tried once in a process, when it is first asked for, and again later
 * while it does not work. The plain software one of the usual profile is taken for granted, so that who uses no other pays nothing.
 */
@Injectable()
export class Encoders {
  private readonly trials = new Map<EncoderName, Promise<string | null>>();
  private listed: ReadonlySet<EncoderName> = new Set();

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(PROFILES) private readonly profiles: Profiles,
    @Inject(WorkerIdentity) private readonly worker: WorkerIdentity,
    @Inject(WorkerEncoders) private readonly workers: WorkerEncoders,
  ) {}

  /** What ffmpeg was built with goes into the worker's row; what no profile can do without is said. */
  learn(abilities: FfmpegAbilities): void {
    const listed = CODECS.flatMap((codec) => [...ENCODERS[codec]]);
    this.listed = new Set(listed.filter((name) => name === PLAIN || abilities.encoders.has(name)));
    this.worker.encoders = new Set(this.listed);
    for (const { name, encoders } of this.profiles.all) {
      if (!encoders.some((encoder) => this.worker.encoders.has(encoder)))
        this.logger.warn({ profile: name, encoders }, 'this ffmpeg has no encoder of a profile');
    }
  }

  /** Null: it works here; else why not. `again`: a device may have gone since. */
  obstacle(name: EncoderName, again = false): Promise<string | null> {
    if (name === PLAIN) return Promise.resolve(null);
    const known = again ? undefined : this.trials.get(name);
    const trial = known ?? this.try(name);
    this.trials.set(name, trial);
    return trial;
  }

  /** The first of the profile's that works here, else one that another process may have. Throws `encoder_unavailable`. */
  async choose(profile: Profile, denied: readonly string[]): Promise<EncoderName> {
    const candidates = profile.encoders.filter((name) => !denied.includes(name));
    const reasons: string[] = [];
    for (const name of candidates) {
      const obstacle = await this.obstacle(name);
      if (obstacle === null) return name;
      reasons.push(`${name}: ${obstacle}`);
    }
    const elsewhere = await this.workers.claimedByOthers(this.worker.id, candidates);
    if (elsewhere) return elsewhere;
    throw new SluiceError(
      'encoder_unavailable',
      `No encoder of the profile ${profile.name} works in this installation. Choose another profile, or ask the operator for an ffmpeg that has one.`,
      { details: { profile: profile.name, denied, reasons } },
    );
  }

  private async try(name: EncoderName, pauseMs = TRY_AGAIN_MS): Promise<string | null> {
    const codec = CODECS.find((one) => (ENCODERS[one] as readonly string[]).includes(name)) ?? 'h264';
    const isListed = this.listed.has(name);
    const obstacle = isListed
      ? await tryEncoder(this.environment.FFMPEG_PATH, codec, name).then(() => null, reasonOf)
      : 'this ffmpeg was built without it';
    if (obstacle === null) {
      this.worker.encoders.add(name);
      this.logger.info({ encoder: name }, 'an encoder works');
      return null;
    }
    this.worker.encoders.delete(name);
    if (pauseMs === TRY_AGAIN_MS)
      this.logger.warn({ encoder: name, reason: obstacle }, 'an encoder does not work here');
    if (isListed) this.tryLater(name, pauseMs);
    return obstacle;
  }

  /** Nobody else would: what has no encoder is refused before it comes here. */
  private tryLater(name: EncoderName, pauseMs: number): void {
    const known = this.trials.get(name);
    setTimeout(() => {
      if (known !== this.trials.get(name)) return;
      this.trials.set(name, this.try(name, Math.min(2 * pauseMs, LONGEST_PAUSE_MS)));
    }, pauseMs).unref();
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
