import { Inject, Injectable } from '@nestjs/common';
import { type ErrorCode, type FinishingKind, NO_PLAYBACK, type Playback, type TenantFact } from '#contracts';
import { recordFact } from '#events';
import type { Plan } from '#media';
import type { DataSource, EntityManager } from '#persistence';
import type { Extension } from '../spans/lease.js';
import { DATA_SOURCE } from '../tokens.js';
import { IS_DUE, IS_FREE } from './finishing-queue.js';

export interface ClaimedTask {
  id: string;
  jobId: string;
  assetId: string;
  kind: FinishingKind;
  params: Record<string, unknown>;
  lease: number;
  attempts: number;
  uncleanDeaths: number;
  plan: Plan;
}

/** What a task has made: its result, the objects that hold it, and what can be shown now. */
export interface Outcome {
  result: object;
  objects: string[];
  playback: Partial<Playback> | null;
}

interface TaskRow {
  id: string;
  job_id: string;
  asset_id: string;
  kind: FinishingKind;
  params: Record<string, unknown>;
  lease_number: number;
  attempts: number;
  unclean_deaths: number;
  plan: Plan;
}

/** What became of the job: `last`, nothing of it is to be done any more. Null: the task is not ours now. */
export type Ended = { last: boolean; fact: TenantFact | null } | null;

/** The rows of finishing tasks: claims, leases and ends (docs/model.md). */
@Injectable()
export class FinishingRepository {
  constructor(@Inject(DATA_SOURCE) private readonly dataSource: DataSource) {}

  async claim(taskId: string, workerId: string, leaseSeconds: number): Promise<ClaimedTask | null> {
    const [rows] = (await this.dataSource.query(
      `UPDATE finishing_tasks SET status = 'running', lease_number = finishing_tasks.lease_number + 1, lease_owner = $2,
         lease_expires_at = now() + $3 * interval '1 second', updated_at = now(),
         unclean_deaths = unclean_deaths + (finishing_tasks.status = 'running')::int
       FROM jobs WHERE finishing_tasks.id = $1 AND jobs.id = finishing_tasks.job_id AND ${IS_FREE} AND ${IS_DUE}
       RETURNING finishing_tasks.*, jobs.asset_id, jobs.plan`,
      [taskId, workerId, leaseSeconds],
    )) as [TaskRow[], number];
    const row = rows[0];
    return row
      ? {
          id: row.id,
          jobId: row.job_id,
          assetId: row.asset_id,
          kind: row.kind,
          params: row.params,
          lease: row.lease_number,
          attempts: row.attempts,
          uncleanDeaths: row.unclean_deaths,
          plan: row.plan,
        }
      : null;
  }

  /** Whether another worker holds it, or it is not its time: worth another look. */
  async isOpen(taskId: string): Promise<boolean> {
    const rows = (await this.dataSource.query(
      `SELECT 1 FROM finishing_tasks JOIN jobs ON jobs.id = finishing_tasks.job_id
       WHERE finishing_tasks.id = $1 AND finishing_tasks.status IN ('pending', 'running') AND ${IS_DUE}`,
      [taskId],
    )) as unknown[];
    return rows.length > 0;
  }

  /** Fenced by the lease's number; learns on the way whether the job is still wanted. */
  async extend(task: ClaimedTask, leaseSeconds: number): Promise<Extension> {
    const rows = (await this.dataSource.query(
      `WITH extended AS (
         UPDATE finishing_tasks SET lease_expires_at = now() + $3 * interval '1 second'
         WHERE id = $1 AND lease_number = $2 AND status = 'running' RETURNING 1)
       SELECT (SELECT count(*)::int FROM extended) AS held,
         (SELECT status = 'processing' FROM jobs WHERE id = $4) AS open`,
      [task.id, task.lease, leaseSeconds, task.jobId],
    )) as { held: number; open: boolean | null }[];
    if (rows[0]?.open !== true) return 'ended';
    return rows[0].held === 1 ? 'held' : 'lost';
  }

  /** The row names the objects from here on; before it they are rubbish. */
  async finish(task: ClaimedTask, outcome: Outcome): Promise<Ended> {
    return this.end(task, outcome.playback, async (manager) => {
      const [rows] = (await manager.query(
        `UPDATE finishing_tasks SET status = 'done', result = $3, objects = $4, error_code = NULL, error_message = NULL,
           lease_owner = NULL, lease_expires_at = NULL, updated_at = now()
         WHERE id = $1 AND lease_number = $2 AND status = 'running' RETURNING 1`,
        [task.id, task.lease, JSON.stringify(outcome.result), outcome.objects],
      )) as [unknown[], number];
      return rows.length > 0;
    });
  }

  /** No failure of the job: its result carries the reason as a warning. */
  async fail(task: ClaimedTask, error: { code: ErrorCode; message: string }): Promise<Ended> {
    return this.end(task, null, async (manager) => {
      const [rows] = (await manager.query(
        `UPDATE finishing_tasks SET status = 'failed', error_code = $3, error_message = $4, lease_owner = NULL,
           lease_expires_at = NULL, updated_at = now()
         WHERE id = $1 AND lease_number = $2 AND status = 'running' RETURNING 1`,
        [task.id, task.lease, error.code, error.message],
      )) as [unknown[], number];
      return rows.length > 0;
    });
  }

  /** Gives it back without blame (SIGTERM, a store that is away), or with one more attempt counted. */
  async release(task: ClaimedTask, error?: { code: ErrorCode; message: string }): Promise<void> {
    await this.dataSource.query(
      `UPDATE finishing_tasks SET status = 'pending', lease_owner = NULL, lease_expires_at = NULL, updated_at = now(),
         attempts = attempts + $3, error_code = $4, error_message = $5
       WHERE id = $1 AND lease_number = $2 AND status = 'running'`,
      [task.id, task.lease, error ? 1 : 0, error?.code ?? null, error?.message ?? null],
    );
  }

  /** Locks: job, task. */
  private async end(
    task: ClaimedTask,
    playback: Partial<Playback> | null,
    write: (manager: EntityManager) => Promise<boolean>,
  ): Promise<Ended> {
    return this.dataSource.transaction(async (manager) => {
      const jobs = (await manager.query(
        `SELECT packaged_at IS NOT NULL AS packaged FROM jobs WHERE id = $1 AND status = 'processing' FOR UPDATE`,
        [task.jobId],
      )) as { packaged: boolean }[];
      if (!jobs[0] || !(await write(manager))) return null;
      const { packaged } = jobs[0];
      const open = (await manager.query(
        `SELECT 1 FROM finishing_tasks WHERE job_id = $1 AND status IN ('pending', 'running') LIMIT 1`,
        [task.jobId],
      )) as unknown[];
      const fact = playback && {
        type: 'processing_progress' as const,
        durable: true,
        playback: { ...NO_PLAYBACK, ...playback },
      };
      return {
        last: packaged && open.length === 0,
        fact: fact && (await recordFact(manager, task.jobId, fact)),
      };
    });
  }
}
