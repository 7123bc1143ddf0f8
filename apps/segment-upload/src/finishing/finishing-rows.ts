import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import {
  type ErrorCode,
  type FinishingKind,
  type FinishingResults,
  finishedPlayback,
  type TenantFact,
  toQueuePriority,
  tsPlaylist,
} from '#contracts';
import { recordFact } from '#events';
import type { ServiceContext } from '#http';
import type { DataSource, EntityManager } from '#persistence';
import { hasTs, type PackageJob, type StoredRendition } from '../packaging/package-rows.js';
import type { Resources } from '../resources.js';
import { CONTEXT, DATABASE, RESOURCES } from '../tokens.js';
import { chosenDownloads } from './downloads.js';
import { sampledSegments } from './sampling.js';

/** A task that has ended, as packaging sees it. */
export type EndedTask =
  | { [K in FinishingKind]: { kind: K; status: 'done'; result: FinishingResults[K] } }[FinishingKind]
  | { kind: FinishingKind; status: 'failed'; code: ErrorCode; message: string };

interface TaskRow {
  kind: FinishingKind;
  status: 'done' | 'failed';
  result: never;
  code: ErrorCode;
  message: string;
}

/** What is left to do for a job whose finished playlists are stored. */
@Injectable()
export class FinishingRows {
  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(DATABASE) private readonly database: DataSource,
    @Inject(RESOURCES) private readonly resources: Resources,
  ) {}

  /** Whether a job with these renditions is to have tasks beyond those that it has. */
  wanted({ profile }: PackageJob, renditions: readonly StoredRendition[]): boolean {
    const { environment } = this.context;
    return (
      environment.POSTER === 'true' ||
      environment.STORYBOARD_TILES > 0 ||
      samplesOf(environment, renditions).length > 0 ||
      chosenDownloads(environment, profile, renditions).length > 0
    );
  }

  async hasOpen(jobId: string): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(
      `SELECT 1 FROM finishing_tasks WHERE job_id = $1 AND status IN ('pending', 'running') LIMIT 1`,
      [jobId],
    );
    return rows.length > 0;
  }

  async ended(jobId: string): Promise<EndedTask[]> {
    const rows = await this.database.query<TaskRow[]>(
      `SELECT kind, status, result, error_code AS code, error_message AS message FROM finishing_tasks
       WHERE job_id = $1 AND status IN ('done', 'failed') ORDER BY kind, position`,
      [jobId],
    );
    return rows;
  }

  /** `packaged_at`, and the tasks, in one transaction; then the queue, then the news. Nothing when that was done before. */
  async begin(job: PackageJob, renditions: readonly StoredRendition[]): Promise<void> {
    const begun = await this.database.transaction(async (manager) => {
      const [rows] = await manager.query<[{ tenant_id: string; priority: number }[], number]>(
        `UPDATE jobs SET packaged_at = now(), updated_at = now()
         WHERE id = $1 AND status = 'processing' AND packaged_at IS NULL RETURNING tenant_id, priority`,
        [job.id],
      );
      const row = rows[0];
      if (!row) return null;
      await this.insert(manager, job, row.tenant_id, renditions);
      const fact = await recordFact(manager, job.id, {
        type: 'processing_progress',
        durable: true,
        message: 'All renditions are stored and can be played.',
        playback: finishedPlayback(job.assetId, {
          hls_ts: tsPlaylist(job.assetId, 'finished', hasTs(renditions)),
        }),
      });
      const tasks = await manager.query<{ id: string }[]>(
        `SELECT id FROM finishing_tasks WHERE job_id = $1 AND status IN ('pending', 'running')`,
        [job.id],
      );
      return { fact, tasks, priority: row.priority };
    });
    if (begun) await this.announce(job.id, begun);
  }

  private async insert(
    manager: EntityManager,
    job: PackageJob,
    tenantId: string,
    renditions: readonly StoredRendition[],
  ): Promise<void> {
    const { environment } = this.context;
    const tasks: { kind: FinishingKind; position: number; params: object }[] = [
      ...(environment.POSTER === 'true' ? [{ kind: 'poster' as const, position: 0, params: {} }] : []),
      ...(environment.STORYBOARD_TILES > 0 ? [{ kind: 'storyboard' as const, position: 0, params: {} }] : []),
      ...samplesOf(environment, renditions).map((segment, position) => ({
        kind: 'quality' as const,
        position,
        params: { segment },
      })),
      ...chosenDownloads(environment, job.profile, renditions).map((rendition, position) => ({
        kind: 'download' as const,
        position,
        params: { rendition },
      })),
    ];
    await manager.query(
      `INSERT INTO finishing_tasks (tenant_id, job_id, kind, position, params)
       SELECT $1, $2, kind, position, params FROM jsonb_to_recordset($3::jsonb) AS t(kind text, position integer, params jsonb)
       ON CONFLICT DO NOTHING`,
      [tenantId, job.id, JSON.stringify(tasks)],
    );
  }

  private async announce(
    jobId: string,
    { fact, tasks, priority }: { fact: TenantFact | null; tasks: { id: string }[]; priority: number },
  ): Promise<void> {
    await this.resources.queues.enqueueAll(
      'finishing',
      tasks.map(({ id }) => ({
        payload: { jobId, taskId: id },
        options: { priority: toQueuePriority(priority) },
      })),
    );
    await this.resources.facts.publish(fact);
  }
}

/** A copied rung is the source: there is nothing to measure. */
function samplesOf(environment: Environment, renditions: readonly StoredRendition[]): number[] {
  const encoded = renditions.find(({ kind, mode }) => kind === 'video' && mode === 'encode');
  return sampledSegments(encoded?.segmentsTotal ?? 0, environment.QUALITY_SAMPLES);
}
