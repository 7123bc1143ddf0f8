import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import {
  type ErrorCode,
  isHardware,
  SluiceError,
  type SpanPayload,
  UNCLEAN_DEATHS_AT_MOST,
} from '#contracts';
import type { FactPublisher } from '#events';
import { NotArrived } from '#media';
import { count, type LabelsOf, type Logger } from '#observability';
import type { DataSource } from '#persistence';
import type { Handled, Handler, QueueProducer } from '#queue';
import { enqueuePlanIfDue, enqueueSpans, releaseSpans } from '#work';
import { Company, isLastChance } from '../company.js';
import { EncoderMissing, Encoders } from '../encoders/encoders.js';
import { WorkerEncoders } from '../encoders/worker-encoders.js';
import { EndedJobs } from '../ended-jobs.js';
import { Indexer } from '../indexing/indexer.js';
import { Places } from '../planning/places.js';
import { Streaming } from '../scratch/streaming.js';
import { DATA_SOURCE, ENVIRONMENT, LOGGER, PRODUCER, PUBLISHER } from '../tokens.js';
import { WorkerIdentity } from '../worker-identity.js';
import { insist, isOutage } from './insist.js';
import { JobEnded, Lease } from './lease.js';
import { nextStep, strategyOf } from './remux-ladder.js';
import { type ClaimedSpan, type Finished, SpanRepository } from './span.repository.js';
import { SpanRunner } from './span-runner.js';
import { bytesToGoOn } from './wanted-bytes.js';

/** The same work is tried once more, then the job fails with the reason (S4-04). */
const ATTEMPTS = 2;
const LOOK_AGAIN_MS = 500;
/** A store that is away is no fault of the video: its work waits, however long that takes. */
const COME_BACK_MS = 3000;

/** Consumer of `span` and `follower`: claim, run under a lease, finish or give back. */
@Injectable()
export class SpanProcessor {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(SpanRepository) private readonly spans: SpanRepository,
    @Inject(SpanRunner) private readonly runner: SpanRunner,
    @Inject(Indexer) private readonly indexer: Indexer,
    @Inject(WorkerIdentity) private readonly worker: WorkerIdentity,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(PRODUCER) private readonly producer: QueueProducer,
    @Inject(PUBLISHER) private readonly publisher: FactPublisher,
    @Inject(EndedJobs) private readonly ended: EndedJobs,
    @Inject(Streaming) private readonly streaming: Streaming,
    @Inject(Places) private readonly places: Places,
    @Inject(Encoders) private readonly encoders: Encoders,
    @Inject(WorkerEncoders) private readonly workers: WorkerEncoders,
    @Inject(Company) private readonly company: Company,
  ) {}

  readonly handle: Handler<'span' | 'follower' | 'long-follower' | 'index'> = (
    { spanId }: SpanPayload,
    { signal },
  ) => this.company.run((isAlone) => this.attempt(spanId, signal, isAlone), signal);

  private async attempt(spanId: string, signal: AbortSignal, isAlone: boolean): Promise<Handled | 'alone'> {
    const seconds = this.environment.LEASE_SECONDS;
    const claim = await this.spans.claim(spanId, this.worker.id, seconds);
    if (claim.kind === 'nothing-to-do') return undefined;
    if (claim.kind === 'not-now') return { retryInMs: LOOK_AGAIN_MS };
    const { span } = claim;
    if (span.uncleanDeaths >= UNCLEAN_DEATHS_AT_MOST) {
      await this.fail(
        span,
        'encode_failed',
        'Converting this video ended its process three times; it was set aside.',
      );
      return undefined;
    }
    if (isLastChance(span.uncleanDeaths) && !isAlone) {
      await this.spans.release(span);
      return 'alone';
    }
    const lease = new Lease(seconds, () => this.spans.extend(span, seconds), signal);
    return this.ended.during(span.jobId, lease, async () => {
      try {
        await this.requireEncoder(span);
        await (span.kind === 'index' ? this.indexer : this.runner).run(span, lease.signal);
        await insist(lease.signal, () => this.goOn(span));
        countRun(span, 'done');
        return undefined;
      } catch (error) {
        const lost = lease.signal.aborted;
        return await insist(lease.signal, () => this.giveUp(span, error, signal.aborted, lost));
      }
    });
  }

  private async requireEncoder({ kind, plan }: ClaimedSpan, again = false): Promise<void> {
    const obstacle = kind === 'video' ? await this.encoders.obstacle(plan.encoder.name, again) : null;
    if (obstacle !== null) throw new EncoderMissing(obstacle);
  }

  /** The row first, then what it has made possible. */
  private async goOn(span: ClaimedSpan): Promise<void> {
    await this.goOnAfter(span, await this.spans.finish(span));
  }

  private async goOnAfter(span: ClaimedSpan, finished: Finished): Promise<void> {
    if (finished.kind === 'last') await this.producer.enqueue('package', { jobId: span.jobId });
    if (finished.kind === 'more') await enqueueSpans(this.producer, finished.next);
  }

  private async giveUp(span: ClaimedSpan, error: unknown, stopping: boolean, lost: boolean) {
    const ids = { job_id: span.jobId, span_id: span.id, lease: span.lease };
    if (error instanceof JobEnded || (lost && !stopping)) {
      this.logger.info(
        { ...ids, reason: String(error) },
        'work stopped: it is no longer wanted or no longer ours',
      );
      countRun(span, 'lost');
      // Its work may have been handed over to another job.
      return error instanceof JobEnded ? { retryInMs: 0 } : undefined;
    }
    if (stopping) {
      countRun(span, 'handed_over');
      await this.spans.release(span);
      return { retryInMs: 0 };
    }
    if (error instanceof NotArrived) {
      countRun(span, 'waits');
      await this.spans.waitFor(span, bytesToGoOn(span, error, await this.streaming.isOn()));
      // They may have come before that was said; its entry is not added anew while it is in hand.
      await releaseSpans(this.dataSource.manager, this.producer, span.jobId);
      await this.places.offer();
      return { retryInMs: 0 };
    }
    if (error instanceof EncoderMissing) {
      countRun(span, 'again');
      return this.withoutEncoder(span, error.message, true);
    }
    const step = nextStep(span, error);
    if (step.kind !== 'none' || isOutage(error) || !isLastTry(span)) countRun(span, 'again');
    if (step.kind === 'strategy') {
      this.logger.warn({ ...ids, err: error }, 'the source is copied with regenerated times');
      await this.spans.copyInstead(span, step.strategy);
      return { retryInMs: 0 };
    }
    if (step.kind === 'transcode') {
      await this.giveUpCopy(span, step.reason);
      return undefined;
    }
    this.logger.error(
      { ...ids, err: error, details: error instanceof SluiceError ? error.details : undefined },
      'a span failed',
    );
    const code = error instanceof SluiceError ? error.code : 'encode_failed';
    if (isOutage(error)) {
      await this.spans.release(span);
      return { retryInMs: COME_BACK_MS };
    }
    if (isOfDevice(span)) {
      const gone = await this.requireEncoder(span, true).then(() => null, String);
      if (gone !== null) return this.withoutEncoder(span, gone, true);
      if (isLastTry(span)) return this.withoutEncoder(span, String(error), false);
    }
    if (code === 'encode_stalled') this.noteStall(span, error as SluiceError);
    const message = error instanceof SluiceError ? error.message : 'The video could not be converted.';
    if (!isLastTry(span)) {
      await this.spans.release(span, { code, message });
      return { retryInMs: LOOK_AGAIN_MS };
    }
    await this.fail(
      span,
      code,
      message,
      error instanceof SluiceError ? error.details : { error: String(error) },
    );
    return undefined;
  }

  /** For another process that has the plan's encoder, or for none: then the job begins anew with the profile's next. */
  private async withoutEncoder(span: ClaimedSpan, reason: string, mayPass: boolean) {
    const given = await this.workers.giveBack(span, this.worker.id, mayPass);
    if (given === 'others') return { retryInMs: LOOK_AGAIN_MS };
    if (given === 'lost') return undefined;
    const { encoder } = span.plan;
    this.logger.warn({ job_id: span.jobId, encoder: encoder.name, reason }, 'a job changes its encoder');
    await enqueuePlanIfDue(this.dataSource.manager, this.producer, this.environment, span.jobId);
    return undefined;
  }

  /** The job begins anew, and encodes what it wanted to copy. */
  private async giveUpCopy(span: ClaimedSpan, reason: string): Promise<void> {
    if (!(await this.spans.giveUpCopy(span, reason))) return;
    this.logger.warn({ job_id: span.jobId, reason }, 'the source is not copied, but encoded');
    await enqueuePlanIfDue(this.dataSource.manager, this.producer, this.environment, span.jobId);
  }

  /** S4-04 S4-06 */
  private noteStall(span: ClaimedSpan, { details }: SluiceError): void {
    countStall(span);
    this.logger.warn(
      { job_id: span.jobId, span_id: span.id, kind: span.kind, attempt: span.attempts + 1, ...details },
      'a run made no progress and was killed',
    );
  }

  /** `details` are for the operator, with what of the job it was. */
  private async fail(
    span: ClaimedSpan,
    code: ErrorCode,
    message: string,
    details: Record<string, unknown> = {},
  ): Promise<void> {
    countRun(span, 'failed');
    if (isSpare(span)) {
      const left = await this.spans.leaveOut(span, { code, message });
      if (!left) return;
      this.logger.warn({ job_id: span.jobId, renditions: span.renditions, code }, 'a track is left out');
      await this.goOnAfter(span, left.finished);
      await this.publisher.publish(left.fact);
      return;
    }
    const detail = { ...workOf(span), worker: this.worker.id, ...details };
    const failed = await this.spans.failWithJob(span, { code, message, detail });
    if (!failed) return;
    await this.producer.enqueue('cleanup', { assetId: failed.assetId });
    await this.publisher.publish(...failed.facts);
  }
}

const workOf = (span: ClaimedSpan) => ({
  span_id: span.id,
  kind: span.kind,
  renditions: span.renditions,
  first_segment: span.firstSegment,
  segment_count: span.segmentCount,
  attempts: span.attempts + 1,
  unclean_deaths: span.uncleanDeaths,
});

const isLastTry = ({ attempts }: ClaimedSpan) => attempts + 1 >= ATTEMPTS;

/** A device may be lost, or refuse a size or a number of sessions that it did not tell of before. */
const isOfDevice = ({ kind, plan }: ClaimedSpan) => kind === 'video' && isHardware(plan.encoder.name);

/** Tracks that a stream is whole without: text, and sound beside the default track. */
const isSpare = ({ kind, plan, renditions }: ClaimedSpan) =>
  (kind === 'audio' || kind === 'subtitles') &&
  plan.renditions.every((r) => !r.inStartSet || !renditions.includes(r.name));

/** S4-06 */
function countStall(span: ClaimedSpan): void {
  if (span.kind === 'copy') count('sluice_vod_remux_stalls_total', { strategy: strategyOf(span) });
  else count('sluice_ffmpeg_stalls_total', { kind: span.kind });
}

const countRun = ({ kind }: ClaimedSpan, outcome: LabelsOf<'sluice_span_runs_total'>['outcome']): void =>
  count('sluice_span_runs_total', { kind, outcome });
