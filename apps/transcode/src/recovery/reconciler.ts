import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { toQueuePriority } from '#contracts';
import { count, type Logger } from '#observability';
import type { DataSource } from '#persistence';
import type { QueueProducer } from '#queue';
import {
  ageSpans,
  IS_WAITING,
  type QueuedSpan,
  queuedSpan,
  releaseSpans,
  SPAN_ENTRY,
  type SpanEntry,
  shareTurns,
} from '#work';
import { IS_DUE, IS_FREE, queuedTask, type TaskEntry } from '../finishing/finishing-queue.js';
import { Places } from '../planning/places.js';
import { DATA_SOURCE, ENVIRONMENT, LOGGER, PRODUCER } from '../tokens.js';

const MOST_AT_ONCE = 500;
/** Of PRIORITY_WIDTH; jobs at work are rarely a thousand rounds apart. */
const MOST_ROUNDS = 100_000;
const KEPT_ROUNDS = 1000;

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
    @Inject(Places) private readonly places: Places,
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
      await this.places.offer();
      await this.turns();
      await this.spans();
      await this.finishing();
      count('sluice_reconcile_rounds_total', { result: 'done' });
    } catch (error) {
      count('sluice_reconcile_rounds_total', { result: 'failed' });
      this.logger.warn(
        { err: error },
        'what is due could not be looked up or queued; it will be tried again',
      );
    } finally {
      this.running = false;
    }
  }

  private async scans(): Promise<void> {
    const due = (await this.dataSource.query(
      `SELECT id, priority FROM jobs WHERE scan = 'pending' AND source_complete AND waits_for IS NULL
         AND status IN ('pending', 'processing') ORDER BY scan_since LIMIT $1`,
      [MOST_AT_ONCE],
    )) as { id: string; priority: number }[];
    for (const job of due) {
      const options = { priority: toQueuePriority(job.priority) };
      if (await this.producer.revive('scan', { jobId: job.id }, options)) noteLost('scan');
    }
  }

  /** The rounds of a priority that has work without end are numbered anew; entries in the queue follow, see `revive`. */
  private async turns(): Promise<void> {
    await this.dataSource.query(
      `WITH last AS (SELECT priority, max(turn) - $2::integer AS by FROM jobs WHERE status = 'processing'
           GROUP BY priority HAVING max(turn) > $1),
         open AS (SELECT jobs.id, last.by FROM jobs JOIN last USING (priority) WHERE jobs.status = 'processing'
           ORDER BY jobs.id FOR UPDATE OF jobs)
       UPDATE jobs SET turn = GREATEST(0, jobs.turn - open.by) FROM open WHERE jobs.id = open.id`,
      [MOST_ROUNDS, KEPT_ROUNDS],
    );
    await shareTurns(this.dataSource.manager);
  }

  private async spans(): Promise<void> {
    await releaseSpans(this.dataSource.manager, this.producer);
    const aged = await ageSpans(this.dataSource.manager, this.environment);
    const due = (await this.dataSource.query(
      `SELECT ${SPAN_ENTRY}
       FROM spans JOIN jobs ON jobs.id = spans.job_id
       WHERE jobs.status = 'processing'
         AND (spans.status = 'pending' OR (spans.status = 'running' AND spans.lease_expires_at < now()))
         AND spans.released AND NOT ${IS_WAITING}
       ORDER BY LEAST(10, jobs.priority + spans.boost) DESC, jobs.turn + spans.position * jobs.stride, jobs.created_at LIMIT $1`,
      [MOST_AT_ONCE],
    )) as SpanEntry[];
    for (const span of [...aged, ...due]) {
      const { queue, payload, options } = queuedSpan(span);
      if (await this.producer.revive(queue, payload, options)) noteLost(queue);
    }
  }

  private async finishing(): Promise<void> {
    const due = (await this.dataSource.query(
      `SELECT finishing_tasks.id, finishing_tasks.job_id, finishing_tasks.kind, jobs.priority
       FROM finishing_tasks JOIN jobs ON jobs.id = finishing_tasks.job_id
       WHERE ${IS_FREE} AND ${IS_DUE} ORDER BY jobs.priority DESC, jobs.created_at LIMIT $1`,
      [MOST_AT_ONCE],
    )) as TaskEntry[];
    for (const task of due) {
      const { payload, options } = queuedTask(task);
      if (await this.producer.revive('finishing', payload, options)) noteLost('finishing');
    }
  }
}

const noteLost = (queue: 'scan' | 'finishing' | QueuedSpan['queue']): void =>
  count('sluice_reconciled_total', { queue });
