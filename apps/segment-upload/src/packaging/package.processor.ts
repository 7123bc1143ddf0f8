import { Inject, Injectable } from '@nestjs/common';
import {
  type ErrorCode,
  finishedPlayback,
  type JobWarning,
  mediaPrefix,
  percentOf,
  SluiceError,
  type Stage,
  tsPlaylist,
} from '#contracts';
import { recordFact } from '#events';
import { type ServiceContext, toSluiceError } from '#http';
import type { QualityFloor } from '#media';
import { observe } from '#observability';
import type { Handler } from '#queue';
import { FinishingRows } from '../finishing/finishing-rows.js';
import { type Verdict, verdictOf } from '../finishing/verdict.js';
import type { Resources } from '../resources.js';
import { CONTEXT, RESOURCES } from '../tokens.js';
import { assertComplete } from './completeness.js';
import { JobEnding } from './job-ending.js';
import { ManifestWriter, manifestKeys, type PackagedRendition } from './manifest-writer.js';
import { hasTs, type PackageJob, PackageRows, type StoredRendition } from './package-rows.js';
import { RubbishSweeper } from './rubbish-sweeper.js';
import { trackWarnings } from './track-warnings.js';

/** Another try gives the same. */
const FINAL: ErrorCode[] = ['segments_missing', 'quality_below_floor'];

/** All spans done → playlists, MPD, sweep, job completed. Killed anywhere, it writes the same again and goes on. */
@Injectable()
export class PackageProcessor {
  constructor(
    @Inject(RESOURCES) private readonly resources: Resources,
    @Inject(PackageRows) private readonly rows: PackageRows,
    @Inject(ManifestWriter) private readonly manifests: ManifestWriter,
    @Inject(RubbishSweeper) private readonly sweeper: RubbishSweeper,
    @Inject(JobEnding) private readonly ending: JobEnding,
    @Inject(FinishingRows) private readonly finishing: FinishingRows,
    @Inject(CONTEXT) private readonly context: ServiceContext,
  ) {}

  readonly process: Handler<'package'> = async ({ jobId }, { signal, lastAttempt }) => {
    const job = await this.rows.job(jobId);
    if (job) await this.withdraw(job);
    // What is not ready yet is enqueued again by whoever finishes its last span.
    if (job?.status !== 'processing' || !job.isDue) return undefined;
    try {
      await this.package(job, signal);
    } catch (error) {
      const known = toSluiceError(error);
      // A store that is full or a database that is away is no reason to throw an encode away; a fault of ours is.
      const final = FINAL.includes(known.code);
      const hopeless = !known.retryable || final || known.code === 'internal';
      if (signal.aborted || !hopeless || !(final || lastAttempt)) throw error;
      await this.ending.fail(job, known);
    }
    return undefined;
  };

  /**
   * Where there are finishing tasks this runs twice: the stream is published first, so that nobody waits for
   * a poster or a measurement, and when the last of them has ended the same is written again and the job ends.
   */
  private async package(job: PackageJob, signal: AbortSignal): Promise<void> {
    if (job.isPackaged && (await this.finishing.hasOpen(job.id))) return;
    await this.say(job.id, 'validation');
    const all = await this.rows.renditions(job.id);
    await assertComplete(this.rows, all);
    // A track without a single packet has no playlist that a player would take.
    const renditions = all.filter((rendition) => rendition.segmentsTotal !== 0);
    if (!job.isPackaged && this.finishing.wanted(job, renditions)) {
      await this.write(job, renditions, signal, async () => undefined);
      await this.finishing.begin(job, renditions);
      return;
    }
    const verdict = verdictOf(job.assetId, await this.finishing.ended(job.id), this.floor());
    if (verdict.belowFloor && this.context.environment.QUALITY_FLOOR === 'fail')
      throw new SluiceError('quality_below_floor', verdict.belowFloor);
    const { packaged, duration } = await this.write(job, renditions, signal, (stage, share) =>
      this.say(job.id, stage, share),
    );
    await this.sweeper.sweep(job.assetId, new Set(manifestKeys(job.assetId, packaged)));
    await this.say(job.id, 'storage', 1);
    const warnings = [...trackWarnings(await this.rows.leftOut(job.id)), ...verdict.warnings];
    const result = resultOf(job, packaged, duration, { ...verdict, warnings });
    const completed = await this.ending.complete(job, result);
    if (completed) await this.measure(job.id);
    const now = completed ? null : await this.rows.job(job.id);
    if (now) await this.withdraw(now);
  }

  /** The job has ended: what is wrong with a figure must not end it again. */
  private async measure(jobId: string): Promise<void> {
    const rows = await this.resources.database
      .query<{ playable: number | null; completed: number }[]>(
        `SELECT extract(epoch FROM playable_at - created_at)::float8 AS playable,
           extract(epoch FROM completed_at - created_at)::float8 AS completed FROM jobs WHERE id = $1`,
        [jobId],
      )
      .catch(() => []);
    for (const { playable, completed } of rows) {
      if (playable !== null) observe('sluice_playable_seconds', playable);
      observe('sluice_job_seconds', completed);
    }
  }

  /** Playlists and MPD. */
  private async write(
    job: PackageJob,
    renditions: readonly StoredRendition[],
    signal: AbortSignal,
    say: (stage: Stage, share?: number) => Promise<void>,
  ): Promise<{ packaged: PackagedRendition[]; duration: number }> {
    const packaged: PackagedRendition[] = [];
    for (const [index, rendition] of renditions.entries()) {
      await say('packaging', index / renditions.length);
      packaged.push(await this.manifests.writeMediaPlaylist(job.assetId, rendition, 'cmaf', signal));
    }
    await this.writeTs(job, renditions, signal);
    await say('storage');
    const duration = Math.max(...packaged.map(({ endTicks, timescale }) => endTicks / timescale));
    await this.manifests.writeMultivariant(job.assetId, packaged, 'cmaf', signal);
    await this.manifests.writeMpd(job.assetId, packaged, duration, signal);
    return { packaged, duration };
  }

  /** The playlists over segments of MPEG-TS, where there are any. */
  private async writeTs(
    job: PackageJob,
    renditions: readonly StoredRendition[],
    signal: AbortSignal,
  ): Promise<void> {
    const packaged: PackagedRendition[] = [];
    for (const rendition of renditions.filter(({ ts }) => ts)) {
      packaged.push(await this.manifests.writeMediaPlaylist(job.assetId, rendition, 'ts', signal));
    }
    if (packaged.length > 0) await this.manifests.writeMultivariant(job.assetId, packaged, 'ts', signal);
  }

  private floor(): QualityFloor {
    const { QUALITY_MIN_VMAF, QUALITY_MIN_SSIM, QUALITY_MIN_PSNR } = this.context.environment;
    return { vmaf: QUALITY_MIN_VMAF, ssim: QUALITY_MIN_SSIM, psnr: QUALITY_MIN_PSNR };
  }

  /** Not durable: a second run repeats none of it, stage and progress only go forward. */
  private async say(jobId: string, stage: Stage, share = 0): Promise<void> {
    const progress = percentOf(stage, share);
    const fact = await this.resources.database.transaction((manager) =>
      recordFact(manager, jobId, { type: 'processing_progress', durable: false, stage, progress }),
    );
    await this.resources.facts.publish(fact);
  }

  /** Media of a job that was cancelled goes, what this run or a killed one wrote after the cleanup too. */
  private async withdraw({ assetId, assetStatus }: PackageJob): Promise<void> {
    if (assetStatus !== 'deleting' && assetStatus !== 'deleted') return;
    await this.resources.store.deletePrefix(mediaPrefix(assetId));
  }
}

function resultOf(
  job: PackageJob,
  renditions: readonly PackagedRendition[],
  duration: number,
  { poster, storyboard, quality, downloads, warnings }: Verdict,
) {
  const { hls, dash } = finishedPlayback(job.assetId, null);
  return {
    hls,
    dash,
    hls_ts: tsPlaylist(job.assetId, 'finished', hasTs(renditions)),
    poster,
    storyboard,
    duration_seconds: Math.round(duration * 1e6) / 1e6,
    renditions: renditions.map(({ name, width, height, codecs, peakBitrate, stored, bytes }) => ({
      name,
      width,
      height,
      codecs,
      bandwidth: peakBitrate,
      segments: stored,
      bytes,
    })),
    quality,
    downloads,
    warnings: [...warnings, ...withoutTs(renditions)],
  };
}

/** What was asked for and could not be made (S0-11). */
function withoutTs(renditions: readonly StoredRendition[]): JobWarning[] {
  const left = renditions.filter(({ ts, kind }) => ts === false && kind === 'video');
  if (left.length === 0) return [];
  const names = left.map(({ name, codecs }) => `${name} (${codecs})`).join(', ');
  return [
    {
      code: 'ts_not_made',
      message: `MPEG-TS was asked for and cannot hold ${names}; play these as CMAF.`,
    },
  ];
}
