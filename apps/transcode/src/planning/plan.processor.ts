import { Inject, Injectable } from '@nestjs/common';
import type { Environment, Profiles } from '#config';
import { type PlanPayload, SluiceError } from '#contracts';
import type { FactPublisher } from '#events';
import { ArrivesSoon, analyzeSource, assertAble, NotArrived, type Plan, planJob } from '#media';
import type { Logger } from '#observability';
import type { DataSource } from '#persistence';
import type { Handled, Handler, QueueProducer } from '#queue';
import type { ObjectStore } from '#storage';
import { releaseSpans } from '#work';
import { Encoders } from '../encoders/encoders.js';
import { EndedJobs } from '../ended-jobs.js';
import { ChunkedSource } from '../source/chunked-source.js';
import { SourceServer } from '../source/source-server.js';
import { JobEnded, Lease } from '../spans/lease.js';
import { DATA_SOURCE, ENVIRONMENT, LOGGER, PRODUCER, PROFILES, PUBLISHER, STORE } from '../tokens.js';
import { WorkerIdentity } from '../worker-identity.js';
import { Places } from './places.js';
import { type PlanClaim, PlanRepository } from './plan.repository.js';
import { sourceLimits } from './source-limits.js';

const LOOK_AGAIN_MS = 500;
/**
 * A planner's place is for planning: bytes that are still on their way are waited for without one. It is
 * counted from when all that is there has been handed to a socket, and ffprobe may only be starting then.
 */
const PATIENCE_MS = 3000;
/** A source without an index that will be here so soon is looked at again then: it may need no growing plan. */
const SOON_SECONDS = 1;
/** What is read of another one before it is planned; a segment counts when what follows it is known. */
const OPENING_SEGMENTS = 2;
const SETTLED_SECONDS = 2;
/** A job that could not be planned lets the others go first for so long. */
const REST_SECONDS = 1;
/** A busy machine or a slow store may be why a probe took too long; a source that does it again is refused. */
const PROBES_THAT_MAY_TIME_OUT = 2;

/** Reads the source's header, decides what to make of it, and queues the work. */
@Injectable()
export class Planner {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(SourceServer) private readonly sources: SourceServer,
    @Inject(WorkerIdentity) private readonly worker: WorkerIdentity,
    @Inject(PROFILES) private readonly profiles: Profiles,
    @Inject(Encoders) private readonly encoders: Encoders,
  ) {}

  /** Throws NotArrived where the upload has not brought what it must read. */
  async plan(
    { jobId, copyDenied, choice, profile: name, encodersDenied }: PlanClaim,
    signal: AbortSignal,
  ): Promise<{ plan: Plan; copyObstacle: string | null }> {
    const profile = this.profiles.get(name);
    if (!profile)
      throw new SluiceError(
        'unknown_profile',
        `The profile ${name} is not known where the video would be encoded; tell the operator.`,
      );
    const encoder = await this.encoders.choose(profile, encodersDenied);
    const source = await ChunkedSource.open(this.dataSource, this.store, jobId);
    const published = this.sources.publish(source, { milliseconds: PATIENCE_MS });
    try {
      const found = await analyzeSource(source, published.url, {
        ffprobePath: this.environment.FFPROBE_PATH,
        limits: sourceLimits(this.environment),
        profile,
        arrival: arrivalOf(source),
        openingSeconds: OPENING_SEGMENTS * this.environment.SEGMENT_SECONDS + SETTLED_SECONDS,
        isHeld: () => published.isWaiting(),
        signal: AbortSignal.any([signal, published.signal]),
      });
      const analysis = { ...found, copyObstacle: copyDenied ?? found.copyObstacle };
      const plan = planJob(analysis, {
        segmentSeconds: this.environment.SEGMENT_SECONDS,
        spanSeconds: this.environment.SPAN_SECONDS,
        preset: this.environment.ENCODER_PRESET,
        threads: this.environment.ENCODER_THREADS,
        arrivalSeconds: source.arrivalSeconds,
        audioTracks: this.environment.AUDIO_TRACKS,
        subtitleTracks: this.environment.SUBTITLE_TRACKS,
        choice: { ...choice, ts: choice.ts ?? this.environment.HLS_TS === 'true' },
        ...{ profile, encoder },
      });
      assertAble(plan, this.worker.abilities);
      // A beginning that has not a segment in it.
      if (plan.isOpen && plan.borders.length < 2) throw new NotArrived(0, source.size);
      return { plan, copyObstacle: analysis.copyObstacle };
    } catch (error) {
      throw signal.aborted || published.signal.aborted ? error : (published.failure() ?? error);
    } finally {
      published.close();
    }
  }
}

const arrivalOf = ({ arrivalSeconds }: ChunkedSource): 'here' | 'soon' | 'later' => {
  if (arrivalSeconds === 0) return 'here';
  return arrivalSeconds < SOON_SECONDS ? 'soon' : 'later';
};

const isWorthAnother = (error: SluiceError, attempt: number) =>
  error.retryable && !(error.code === 'probe_timeout' && attempt >= PROBES_THAT_MAY_TIME_OUT);

/** Consumer of `plan`: one planner a job, under a lease; the rows first, then the queue, then the news. */
@Injectable()
export class PlanProcessor {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(PlanRepository) private readonly plans: PlanRepository,
    @Inject(Planner) private readonly planner: Planner,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(PRODUCER) private readonly producer: QueueProducer,
    @Inject(PUBLISHER) private readonly publisher: FactPublisher,
    @Inject(Places) private readonly places: Places,
    @Inject(EndedJobs) private readonly ended: EndedJobs,
  ) {}

  readonly handle: Handler<'plan'> = async ({ jobId }: PlanPayload, { signal, attempt }) => {
    const seconds = this.environment.LEASE_SECONDS;
    const claim = await this.plans.claim(jobId, seconds);
    if (!claim) return this.leave(jobId);
    const lease = new Lease(seconds, () => this.plans.extend(claim, seconds), signal);
    return this.ended.during(jobId, lease, () => this.planUnder(claim, lease, signal, attempt));
  };

  /** Its turn comes when a place is free, and it is queued again then; an entry that came early makes room for the next. */
  private async leave(jobId: string): Promise<Handled> {
    if (await this.plans.isTriedElsewhere(jobId)) return { retryInMs: LOOK_AGAIN_MS };
    await this.places.offer();
    return undefined;
  }

  private async planUnder(
    claim: PlanClaim,
    lease: Lease,
    signal: AbortSignal,
    attempt: number,
  ): Promise<Handled> {
    const { jobId } = claim;
    try {
      const { plan, copyObstacle } = await this.planner.plan(claim, lease.signal);
      this.logger.info(
        {
          job_id: jobId,
          renditions: plan.renditions.map((r) => r.name),
          spans: plan.spans.length,
          not_copied: copyObstacle,
          encoder: plan.encoder.name,
        },
        'planned',
      );
      const stored = await this.plans.store(claim, plan);
      if (!stored) return undefined;
      await releaseSpans(this.dataSource.manager, this.producer, jobId);
      await this.publisher.publish(stored.fact);
      return undefined;
    } catch (error) {
      if (error instanceof JobEnded) return undefined;
      // A process that stood still: whoever claims it next plans it, this one or another.
      if (error instanceof SluiceError && error.code === 'lease_lost') return { retryInMs: LOOK_AGAIN_MS };
      if (error instanceof ArrivesSoon) {
        await this.plans.release(claim, SOON_SECONDS);
        return { retryInMs: SOON_SECONDS * 1000 };
      }
      if (error instanceof NotArrived) {
        await this.plans.waitFor(claim, error);
        // They may have come before that was said.
        return { retryInMs: 0 };
      }
      if (signal.aborted || !(error instanceof SluiceError) || isWorthAnother(error, attempt)) {
        await this.plans.release(claim, signal.aborted ? 0 : REST_SECONDS);
        throw error;
      }
      await this.fail(claim, error);
      return undefined;
    }
  }

  private async fail(claim: PlanClaim, { code, message, cause, details }: SluiceError): Promise<void> {
    const reason = cause instanceof Error ? cause.message : undefined;
    this.logger.warn({ job_id: claim.jobId, code, reason }, message);
    const detail = { work: 'plan', reason, ...details };
    const failed = await this.plans.fail(claim, { code, message, detail });
    if (!failed) return;
    await this.producer.enqueue('cleanup', { assetId: failed.assetId });
    await this.publisher.publish(...failed.facts);
  }
}
