import { Inject, Injectable } from '@nestjs/common';
import type { Plan, PlannedSpan } from '#media';
import type { DataSource } from '#persistence';
import { insertSpans } from '../planning/span-rows.js';
import type { ClaimedSpan } from '../spans/span.repository.js';
import { DATA_SOURCE } from '../tokens.js';

/** The rows of a plan that grows while its source arrives. */
@Injectable()
export class GrowthRepository {
  constructor(@Inject(DATA_SOURCE) private readonly dataSource: DataSource) {}

  /**
   * Adds spans, and says how many segments there are once the source has ended; under the job's lock, fenced
   * by the lease of the span that reads along. False: that lease, or the job, is not ours any more.
   */
  async add(span: ClaimedSpan, plan: Plan, spans: PlannedSpan[]): Promise<boolean> {
    return this.dataSource.transaction(async (manager) => {
      const jobs = (await manager.query(
        `SELECT tenant_id FROM jobs WHERE id = $1 AND status = 'processing' FOR UPDATE`,
        [span.jobId],
      )) as { tenant_id: string }[];
      const held = (await manager.query(
        `SELECT 1 FROM spans WHERE id = $1 AND lease_number = $2 AND status = 'running' FOR UPDATE`,
        [span.id, span.lease],
      )) as unknown[];
      const job = jobs[0];
      if (!job || held.length === 0) return false;
      await manager.query('UPDATE jobs SET plan = $2, updated_at = now() WHERE id = $1', [
        span.jobId,
        JSON.stringify(plan),
      ]);
      const ids = { jobId: span.jobId, tenantId: job.tenant_id };
      await insertSpans(manager, ids, spans, plan.spans.length - spans.length);
      if (!plan.isOpen) {
        await manager.query(
          `UPDATE renditions SET segments_total = $2,
             completed_at = CASE WHEN segments_completed = $2 THEN now() ELSE completed_at END
           WHERE job_id = $1 AND kind IN ('video', 'audio')`,
          [span.jobId, plan.borders.length - 1],
        );
        const text = plan.renditions.find((rendition) => rendition.kind === 'subtitles');
        await manager.query(
          `UPDATE renditions SET target_duration = $2 WHERE job_id = $1 AND kind = 'subtitles'`,
          [span.jobId, text?.targetDuration ?? 1],
        );
      }
      return true;
    });
  }
}
