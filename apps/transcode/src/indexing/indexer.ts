import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { SluiceError } from '#contracts';
import {
  type Followed,
  followPackets,
  growPlan,
  type Plan,
  ratePerTick,
  refuseGrown,
  timelinesOf,
} from '#media';
import type { DataSource } from '#persistence';
import type { QueueProducer } from '#queue';
import type { ObjectStore } from '#storage';
import { releaseSpans } from '#work';
import { sourceLimits } from '../planning/source-limits.js';
import { ChunkedSource } from '../source/chunked-source.js';
import { SourceServer } from '../source/source-server.js';
import { leaseLost } from '../spans/lease.js';
import type { ClaimedSpan } from '../spans/span.repository.js';
import { DATA_SOURCE, ENVIRONMENT, PRODUCER, STORE } from '../tokens.js';
import { GrowthRepository } from './growth.repository.js';

/** So long it keeps its place while no bytes come; it begins again at the source's start. */
const PATIENCE_MS = 10_000;

/**
 * Runs a span of the kind `index`: reads along with a source that has no index and plans segments as soon
 * as their bytes are there. Killed anywhere, the next one reads from the start and adds what is not planned.
 */
@Injectable()
export class Indexer {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(SourceServer) private readonly sources: SourceServer,
    @Inject(GrowthRepository) private readonly growth: GrowthRepository,
    @Inject(PRODUCER) private readonly producer: QueueProducer,
  ) {}

  async run(span: ClaimedSpan, signal: AbortSignal): Promise<void> {
    const { opening } = span.plan;
    if (!span.plan.isOpen) return;
    if (!opening) throw new SluiceError('internal', 'A plan that can grow does not say from what.');
    const source = await ChunkedSource.open(this.dataSource, this.store, span.jobId);
    const published = this.sources.publish(source, { milliseconds: PATIENCE_MS });
    const { video, audio, segmentSeconds } = opening;
    const limits = sourceLimits(this.environment);
    let plan: Plan = span.plan;
    const grow = async (so: Followed, ended: boolean): Promise<void> => {
      if (!so.video && !ended) return;
      const known = { ...timelinesOf(so, video, audio, !ended), ended };
      refuseGrown(limits, known, source.size);
      const grown = growPlan(plan, known, segmentSeconds);
      if (!grown) return;
      if (!(await this.growth.add(span, grown.plan, grown.spans))) throw leaseLost();
      plan = grown.plan;
      await releaseSpans(this.dataSource.manager, this.producer, span.jobId);
    };
    try {
      const all = await followPackets(
        published.url,
        plan.container,
        { video: { index: video.index, ratePerTick: ratePerTick(video) }, audio, bytes: source.size },
        {
          ffprobePath: this.environment.FFPROBE_PATH,
          limits,
          signal: AbortSignal.any([signal, published.signal]),
          isHeld: () => published.isWaiting(),
        },
        async (so) => {
          await grow(so, false);
          return false;
        },
      );
      await grow(all, true);
    } catch (error) {
      throw signal.aborted || published.signal.aborted ? error : (published.failure() ?? error);
    } finally {
      published.close();
    }
  }
}
