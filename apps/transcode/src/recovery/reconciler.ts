import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { toQueuePriority } from '#contracts';
import type { Logger } from '#observability';
import type { DataSource } from '#persistence';
import type { QueueProducer } from '#queue';
import { IS_WAITING, mayBePlanned, NO_PLANNER, queuedSpan, releaseSpans, type SpanEntry } from '#work';
import { DATA_SOURCE, ENVIRONMENT, LOGGER, PRODUCER } from '../tokens.js';

const MOST_AT_ONCE = 500;

/**
 * Adds again, every few seconds, what rows call due: the queue may have lost it, or the process that was
 * to add it died after its commit. Any number of these may run; fixed ids make an entry one entry.
 */
@Injectable()
export class Reconciler {
  private timer: NodeJS.Timeout | undefined;
  private running = false;

  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(PRODUCER) private readonly producer: QueueProducer,
  ) {}

  start(): void {
    this.timer = setInterval(() => void this.tick(), this.environment.RECONCILE_INTERVAL_SECONDS * 1000);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private async tick(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      await this.scans();
      await this.plans();
      await this.spans();
    } catch (error) {
      this.logger.warn(
        { err: error },
        'what is due could not be looked up or queued; it will be tried again',
      );
    } finally {
      this.running = false;
    }
  }

  private async plans(): Promise<void> {
    const due = (await this.dataSource.query(
      `SELECT id, priority FROM jobs WHERE ${mayBePlanned(this.environment)} AND ${NO_PLANNER}
       ORDER BY created_at LIMIT $1`,
      [MOST_AT_ONCE],
    )) as { id: string; priority: number }[];
    for (const job of due) {
      await this.producer.revive('plan', { jobId: job.id }, { priority: toQueuePriority(job.priority) });
    }
  }

  private async scans(): Promise<void> {
    const due = (await this.dataSource.query(
      `SELECT id, priority FROM jobs WHERE scan = 'pending' AND source_complete AND waits_for IS NULL
         AND status IN ('pending', 'processing') ORDER BY scan_since LIMIT $1`,
      [MOST_AT_ONCE],
    )) as { id: string; priority: number }[];
    for (const job of due) {
      await this.producer.revive('scan', { jobId: job.id }, { priority: toQueuePriority(job.priority) });
    }
  }

  private async spans(): Promise<void> {
    await releaseSpans(this.dataSource.manager, this.producer);
    const due = (await this.dataSource.query(
      `SELECT spans.id, spans.job_id, spans.kind, spans.position, jobs.priority
       FROM spans JOIN jobs ON jobs.id = spans.job_id
       WHERE jobs.status = 'processing'
         AND (spans.status = 'pending' OR (spans.status = 'running' AND spans.lease_expires_at < now()))
         AND spans.released AND NOT ${IS_WAITING}
       ORDER BY jobs.priority DESC, jobs.created_at, spans.position LIMIT $1`,
      [MOST_AT_ONCE],
    )) as SpanEntry[];
    for (const span of due) {
      const { queue, payload, options } = queuedSpan(span);
      await this.producer.revive(queue, payload, options);
    }
  }
}
