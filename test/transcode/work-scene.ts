import { randomUUID } from 'node:crypto';
import type { Environment } from '#config';
import { DEFAULT_TENANT } from '#contracts';
import { type Plan, planJob } from '#media';
import { type DataSource, openDataSource } from '#persistence';
import { QueueProducer } from '#queue';
import { createTestDatabase, testRedisUrl } from '#testing';
import { releaseSpans } from '#work';
import { Places } from '../../apps/transcode/src/planning/places.js';
import { PlanRepository } from '../../apps/transcode/src/planning/plan.repository.js';
import { SpanRepository } from '../../apps/transcode/src/spans/span.repository.js';
import { analysis, options } from '../media/analysis.js';

/** Where nothing else is said a lease does not end. */
const LEASE_SECONDS = 60;
export const AGEING_SECONDS = 300;

export interface NewJob {
  tenant?: string;
  priority?: number;
  /** Of video; a span is 20 s and nothing is copied, so that there is a start span. */
  seconds?: number;
  sourceComplete?: boolean;
}

/** Rows and queues with nobody at work: the test is the worker. */
export class WorkScene {
  readonly environment: Environment;
  readonly plans: PlanRepository;
  readonly places: Places;
  readonly spans: SpanRepository;

  private constructor(
    readonly dataSource: DataSource,
    readonly queues: QueueProducer,
    readonly redisUrl: string,
    private readonly drop: () => Promise<void>,
    places: number,
  ) {
    const environment = {
      SCAN_MODE: 'off',
      ENABLE_DEDUPLICATION: 'true',
      PROCESSING_MAX_CONCURRENT_JOBS: places,
      PRIORITY_AGEING_SECONDS: AGEING_SECONDS,
    } as Environment;
    this.environment = environment;
    this.plans = new PlanRepository(dataSource, environment);
    this.places = new Places(environment, dataSource, queues);
    this.spans = new SpanRepository(dataSource);
  }

  static async start(places: number): Promise<WorkScene> {
    const database = await createTestDatabase();
    const dataSource = await openDataSource({ databaseUrl: database.url, poolSize: 10, name: 'test' });
    const redisUrl = await testRedisUrl();
    const drop = () => database.drop();
    return new WorkScene(dataSource, new QueueProducer(redisUrl, 'test'), redisUrl, drop, places);
  }

  async stop(): Promise<void> {
    await this.queues.close();
    await this.dataSource.destroy();
    await this.drop();
  }

  /** A job that waits to be planned, a little younger than the one before. */
  async job({ priority = 5, sourceComplete = true, tenant = DEFAULT_TENANT }: NewJob = {}): Promise<string> {
    const [id, asset] = [randomUUID(), randomUUID()];
    await this.dataSource.query('INSERT INTO assets (id, tenant_id, profile) VALUES ($1, $2, $3)', [
      ...[asset, tenant, 'default'],
    ]);
    await this.dataSource.query(
      `INSERT INTO jobs (id, tenant_id, asset_id, priority, source_complete, created_at)
       VALUES ($1, $2, $3, $4, $5, clock_timestamp())`,
      [id, tenant, asset, priority, sourceComplete],
    );
    return id;
  }

  claim(jobId: string) {
    return this.plans.claim(jobId, LEASE_SECONDS);
  }

  /** Planned and in the queue. */
  async planned(seconds: number, job: NewJob = {}): Promise<string> {
    const jobId = await this.job(job);
    const claim = await this.claim(jobId);
    if (!claim) throw new Error('there is no place for this job');
    const stored = await this.plans.store(claim, planOf(seconds));
    if (!stored) throw new Error('the plan was not stored');
    await releaseSpans(this.dataSource.manager, this.queues, jobId);
    return jobId;
  }

  /** As a worker ends a span, without its segments. */
  async finish(spanId: string): Promise<void> {
    await this.dataSource.query(
      `UPDATE spans SET status = 'done', lease_owner = NULL, lease_expires_at = NULL WHERE id = $1`,
      [spanId],
    );
  }

  async end(jobId: string, status: 'completed' | 'failed'): Promise<void> {
    await this.dataSource.query('UPDATE jobs SET status = $2 WHERE id = $1', [jobId, status]);
  }

  /** Jobs that the queue `plan` holds. */
  async offered(): Promise<string[]> {
    const entries = await this.queues.queue('plan').getJobs(['waiting', 'prioritized']);
    return entries.map((entry) => entry.data.jobId as string);
  }
}

export function planOf(seconds: number): Plan {
  const source = analysis();
  return planJob(
    {
      ...source,
      copyObstacle: 'for the test',
      audio: null,
      timeline: { ...source.timeline, endSeconds: seconds, frames: seconds * 30 },
    },
    options,
  );
}
