import { Inject, Injectable } from '@nestjs/common';
import {
  FINISHING_KINDS,
  type FinishingKind,
  type QuarantinedWork,
  SluiceError,
  toQueuePriority,
  UNCLEAN_DEATHS_AT_MOST,
} from '#contracts';
import { Retrying } from '../jobs/retrying.js';
import { Teller } from '../jobs/teller.js';
import type { Database } from '../resources.js';
import { DATABASE } from '../tokens.js';

const AT_MOST = 200;
const FILENAME =
  '(SELECT filename FROM upload_sessions WHERE job_id = j.id ORDER BY created_at LIMIT 1) AS filename';

/** Spans whose job failed with them, or that were left out; finishing tasks, which are a warning of their job. */
const QUARANTINED = `
  SELECT n.id, n.job_id, n.tenant_id, ${FILENAME}, n.kind, n.renditions, n.first_segment, n.segment_count, n.unclean_deaths,
    n.error_code, n.error_message, j.status AS job_status, n.updated_at AS quarantined_at,
    n.status = 'failed' AND j.status = 'failed' AND a.status = 'failed' AS releasable, 'span' AS source
  FROM spans n JOIN jobs j ON j.id = n.job_id JOIN assets a ON a.id = j.asset_id
  WHERE n.unclean_deaths >= ${UNCLEAN_DEATHS_AT_MOST} AND (n.status = 'failed' OR n.error_code IS NOT NULL)
  UNION ALL
  SELECT f.id, f.job_id, f.tenant_id, ${FILENAME}, f.kind, '{}'::text[], NULL, NULL, f.unclean_deaths,
    f.error_code, f.error_message, j.status, f.updated_at, j.status = 'processing', 'task'
  FROM finishing_tasks f JOIN jobs j ON j.id = f.job_id
  WHERE f.unclean_deaths >= ${UNCLEAN_DEATHS_AT_MOST} AND f.status = 'failed'`;

type Row = Omit<QuarantinedWork, 'quarantined_at'> & { quarantined_at: Date; source: 'span' | 'task' };

/** Work that ended its process three times: nobody runs it again before the operator says so. */
@Injectable()
export class Poison {
  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(Retrying) private readonly retrying: Retrying,
    @Inject(Teller) private readonly teller: Teller,
  ) {}

  /** The newest first. */
  async list(): Promise<QuarantinedWork[]> {
    const rows = await this.database.query<Row[]>(
      `SELECT * FROM (${QUARANTINED}) q ORDER BY quarantined_at DESC, id LIMIT ${AT_MOST}`,
    );
    return rows.map(({ source: _source, quarantined_at, ...row }) => ({
      ...row,
      quarantined_at: quarantined_at.toISOString(),
    }));
  }

  /** It is due again, and has three more lives; with a span its job is open again. Answers with the job. */
  async release(id: string): Promise<string> {
    const [work] = await this.database.query<Row[]>(`SELECT * FROM (${QUARANTINED}) q WHERE id = $1`, [id]);
    if (!work) throw notQuarantined();
    if (!work.releasable)
      throw new SluiceError(
        'source_gone',
        'What this work needs is no longer kept; the file has to be sent again.',
      );
    if (work.source === 'span') {
      await this.retrying.again(work.job_id, { everything: false, renditions: null, quarantined: true });
      return work.job_id;
    }
    await this.releaseTask(work);
    return work.job_id;
  }

  private async releaseTask({ id, job_id: jobId }: Row): Promise<void> {
    const { kind, priority } = await this.database.transaction(async (manager) => {
      const [job] = (await manager.query(
        `SELECT priority FROM jobs WHERE id = $1 AND status = 'processing' FOR UPDATE`,
        [jobId],
      )) as { priority: number }[];
      const [tasks] = (await manager.query(
        `UPDATE finishing_tasks SET status = 'pending', attempts = 0, unclean_deaths = 0, error_code = NULL, error_message = NULL,
           updated_at = now() WHERE id = $1 AND job_id = $2 AND status = 'failed' RETURNING kind`,
        [id, jobId],
      )) as [{ kind: FinishingKind }[], number];
      if (!job || !tasks[0]) throw notQuarantined();
      return { ...job, ...tasks[0] };
    });
    const options = { priority: toQueuePriority(priority) + FINISHING_KINDS.indexOf(kind) };
    await this.teller.tell(async ({ queues }) => {
      await queues.revive('finishing', { jobId, taskId: id }, options);
    });
  }
}

const notQuarantined = () =>
  new SluiceError('quarantine_not_found', 'No work with this id is in quarantine; list what is.');
