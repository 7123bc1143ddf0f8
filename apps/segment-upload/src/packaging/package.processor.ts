import { Inject, Injectable } from '@nestjs/common';
import { finishedPlayback, mediaPrefix, type Stage } from '#contracts';
import { recordFact } from '#events';
import { toSluiceError } from '#http';
import type { Handler } from '#queue';
import type { Resources } from '../resources.js';
import { RESOURCES } from '../tokens.js';
import { assertComplete } from './completeness.js';
import { JobEnding } from './job-ending.js';
import { ManifestWriter, manifestKeys, type PackagedRendition } from './manifest-writer.js';
import { type PackageJob, PackageRows } from './package-rows.js';
import { RubbishSweeper } from './rubbish-sweeper.js';

/** S1-04 */
const PACKAGING = { from: 75, to: 85 };

/** All spans done → playlists, MPD, sweep, job completed. Killed anywhere, it writes the same again and goes on. */
@Injectable()
export class PackageProcessor {
  constructor(
    @Inject(RESOURCES) private readonly resources: Resources,
    @Inject(PackageRows) private readonly rows: PackageRows,
    @Inject(ManifestWriter) private readonly manifests: ManifestWriter,
    @Inject(RubbishSweeper) private readonly sweeper: RubbishSweeper,
    @Inject(JobEnding) private readonly ending: JobEnding,
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
      const hopeless = !known.retryable || known.code === 'segments_missing' || known.code === 'internal';
      const final = known.code === 'segments_missing' || lastAttempt;
      if (signal.aborted || !hopeless || !final) throw error;
      await this.ending.fail(job, known);
    }
    return undefined;
  };

  private async package(job: PackageJob, signal: AbortSignal): Promise<void> {
    await this.say(job.id, 'validation', 60);
    const all = await this.rows.renditions(job.id);
    await assertComplete(this.rows, all);
    // A track without a single packet has no playlist that a player would take.
    const renditions = all.filter((rendition) => rendition.segmentsTotal !== 0);
    const packaged: PackagedRendition[] = [];
    for (const [index, rendition] of renditions.entries()) {
      const share = Math.floor(((PACKAGING.to - PACKAGING.from) * index) / renditions.length);
      await this.say(job.id, 'packaging', PACKAGING.from + share);
      packaged.push(await this.manifests.writeMediaPlaylist(job.assetId, rendition, signal));
    }
    await this.say(job.id, 'storage', 90);
    const duration = Math.max(...packaged.map(({ endTicks, timescale }) => endTicks / timescale));
    await this.manifests.writeManifests(job.assetId, packaged, duration, signal);
    await this.sweeper.sweep(job.assetId, new Set(manifestKeys(job.assetId, packaged)));
    await this.say(job.id, 'storage', 95);
    const completed = await this.ending.complete(job, resultOf(job, packaged, duration));
    const now = completed ? null : await this.rows.job(job.id);
    if (now) await this.withdraw(now);
  }

  /** Not durable: a second run repeats none of it, stage and progress only go forward. */
  private async say(jobId: string, stage: Stage, progress: number): Promise<void> {
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

function resultOf(job: PackageJob, renditions: readonly PackagedRendition[], duration: number) {
  const { hls, dash } = finishedPlayback(job.assetId);
  return {
    hls,
    dash,
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
    quality: null,
  };
}
