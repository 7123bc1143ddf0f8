import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { type QualityMetric, SluiceError } from '#contracts';
import { qualityMetric, qualityRun, readScores } from '#media';
import type { DataSource } from '#persistence';
import type { ObjectStore } from '#storage';
import { ChunkedSource } from '../source/chunked-source.js';
import { DATA_SOURCE, ENVIRONMENT, STORE } from '../tokens.js';
import type { ClaimedTask, Outcome } from './finishing.repository.js';
import { FinishingTool } from './finishing-tool.js';
import { StoredMedia } from './stored-media.js';

/** Compares one segment of every encoded rendition with the source (S1-07), all of them in one run. */
@Injectable()
export class QualityMeter {
  private metric: Promise<QualityMetric> | null = null;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(StoredMedia) private readonly media: StoredMedia,
    @Inject(FinishingTool) private readonly tool: FinishingTool,
  ) {}

  async measure(task: ClaimedTask, signal: AbortSignal): Promise<Outcome> {
    const segment = Number(task.params.segment);
    const metric = await this.supported();
    const parts = await this.stored(task, segment);
    const source = await ChunkedSource.open(this.dataSource, this.store, task.jobId);
    const seekSeconds = await this.media.seekSeconds(task.jobId, segment);
    const log = await this.tool.run(
      [source, ...parts.map(({ file }) => file)],
      ([address = '', ...addresses]) =>
        qualityRun(task.plan, {
          source: address,
          seekSeconds,
          segment,
          metric,
          renditions: parts.map(({ rendition }, i) => ({ rendition, source: addresses[i] as string })),
        }),
      signal,
    );
    const scores = readScores(log, parts.length, metric);
    if (!scores)
      throw new SluiceError('quality_not_measured', 'ffmpeg has compared the pictures and said nothing.');
    const renditions = parts.map(({ rendition }, i) => ({ name: rendition.name, ...scores[i] }));
    return { result: { metric, renditions }, objects: [], playback: null };
  }

  /** The same for every encoded rendition: its plan, and its init segment and this segment as one file. */
  private async stored(task: ClaimedTask, segment: number) {
    const videos = await this.media.videos(task.jobId);
    const parts = await Promise.all(
      videos
        .filter((video) => video.mode === 'encode')
        .map(async (video) => {
          const segments = await this.media.segments(video, [segment]);
          const rendition = task.plan.renditions.find(({ name }) => name === video.name);
          return rendition && segments.length > 0
            ? [{ rendition, file: this.media.asFile(video, segments) }]
            : [];
        }),
    );
    const found = parts.flat();
    if (found.length === 0) throw new SluiceError('quality_not_measured', 'There is nothing to compare.');
    return found;
  }

  /** Asked once; a failure to ask is asked again. */
  private supported(): Promise<QualityMetric> {
    this.metric ??= qualityMetric(this.environment.FFMPEG_PATH).catch((error: unknown) => {
      this.metric = null;
      throw error;
    });
    return this.metric;
  }
}
