import { Inject, Injectable } from '@nestjs/common';
import {
  finishedPlayback,
  type JobQuality,
  type NamedPlayback,
  type SluiceError,
  type TenantFact,
} from '#contracts';
import { endWaiting, failJob, recordFact, tellJobEnded } from '#events';
import type { DataSource, EntityManager } from '#persistence';
import { renditionsOf, toProgress } from '../progress/progress-facts.js';
import type { Resources } from '../resources.js';
import { DATABASE, RESOURCES } from '../tokens.js';
import type { PackageJob } from './package-rows.js';

/** What of a job's result is read here; it is stored whole. */
export interface Result extends NamedPlayback {
  quality: JobQuality | null;
}

const UNIQUE_VIOLATION = '23505';

/** The two ends of a job, and of those that wait for it, that packaging may bring about. Locks: jobs, asset, spans. */
@Injectable()
export class JobEnding {
  constructor(
    @Inject(DATABASE) private readonly database: DataSource,
    @Inject(RESOURCES) private readonly resources: Resources,
  ) {}

  /** Job `completed`, asset `ready`. False when the job had ended before: its media is not to be published. */
  async complete(job: PackageJob, result: Result): Promise<boolean> {
    const facts = await this.publishOnce(job, result).catch((error: unknown) => {
      // The same file was published between our look and our commit; now we see it.
      if ((error as { code?: unknown }).code !== UNIQUE_VIOLATION) throw error;
      return this.publishOnce(job, result);
    });
    await this.resources.facts.publish(...facts);
    return facts.length > 0;
  }

  /** Job `failed` with the error's code, asset `deleting`; its cleanup is enqueued. */
  async fail(job: PackageJob, error: SluiceError): Promise<void> {
    const { code, message, details } = error;
    const fault = { code, message, detail: { work: 'package', ...details } };
    const failed = await this.database.transaction((manager) => failJob(manager, job.id, fault));
    if (!failed) return;
    await this.resources.queues.enqueue('cleanup', { assetId: failed.assetId });
    await this.resources.facts.publish(...failed.facts);
  }

  private publishOnce(job: PackageJob, result: Result): Promise<(TenantFact | null)[]> {
    return this.database.transaction(async (manager) => {
      if (!(await lockOpen(manager, job.id))) return [];
      await manager.query(
        `UPDATE jobs SET status = 'completed', result = $2, completed_at = now(), updated_at = now() WHERE id = $1`,
        [job.id, JSON.stringify(result)],
      );
      const waiting = await endWaiting(manager, job.id);
      // Dedup finds one asset for a file; another of the same file is published without its digest.
      await manager.query(
        `UPDATE assets a SET status = 'ready', result = $2, held_since = now(), updated_at = now(),
           sha256 = CASE WHEN EXISTS (SELECT 1 FROM assets o WHERE o.status = 'ready' AND o.id <> a.id
             AND o.tenant_id = a.tenant_id AND o.sha256 = a.sha256 AND o.profile = a.profile)
             THEN NULL ELSE a.sha256 END
         WHERE a.id = $1 AND a.status = 'provisional'`,
        [job.assetId, JSON.stringify(result)],
      );
      await manager.query(
        'UPDATE renditions SET completed_at = now() WHERE job_id = $1 AND completed_at IS NULL',
        [job.id],
      );
      await manager.query(
        `UPDATE renditions r SET quality = q.value - 'name' FROM jsonb_array_elements($2::jsonb) AS q(value)
         WHERE r.job_id = $1 AND r.name = q.value ->> 'name'`,
        [job.id, JSON.stringify(result.quality?.renditions ?? [])],
      );
      const fact = await recordFact(manager, job.id, {
        type: 'processing_completed',
        durable: true,
        stage: 'completed',
        progress: 100,
        message: 'All renditions are stored.',
        result,
        renditions: (await renditionsOf(manager, job.id)).map(toProgress),
        playback: finishedPlayback(job.assetId, result),
      });
      await tellJobEnded(manager, job.id);
      return [fact, ...waiting];
    });
  }
}

async function lockOpen(manager: EntityManager, jobId: string): Promise<boolean> {
  const jobs = await manager.query<{ status: string }[]>('SELECT status FROM jobs WHERE id = $1 FOR UPDATE', [
    jobId,
  ]);
  return jobs[0]?.status === 'processing';
}
