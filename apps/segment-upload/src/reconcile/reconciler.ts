import {
  type BeforeApplicationShutdown,
  Inject,
  Injectable,
  type OnApplicationBootstrap,
} from '@nestjs/common';
import { toQueuePriority } from '#contracts';
import { endWaiting } from '#events';
import type { ServiceContext } from '#http';
import { count } from '#observability';
import { LET_GO } from '../cleanup/cleanup-rows.js';
import type { Resources } from '../resources.js';
import { CONTEXT, RESOURCES } from '../tokens.js';

/** Of each kind in one round; the next round takes the rest. */
const AT_MOST = 500;

/** Adds the entries of `package` and `cleanup` that rows say are due; their fixed ids make adding twice harmless. */
@Injectable()
export class Reconciler implements OnApplicationBootstrap, BeforeApplicationShutdown {
  private timer: NodeJS.Timeout | null = null;
  private round: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(RESOURCES) private readonly resources: Resources,
  ) {}

  onApplicationBootstrap(): void {
    this.next(0);
  }

  async beforeApplicationShutdown(): Promise<void> {
    this.stopped = true;
    if (this.timer) clearTimeout(this.timer);
    await this.round;
  }

  private next(delayMs: number): void {
    if (this.stopped) return;
    this.timer = setTimeout(() => {
      this.round = this.reconcile()
        .then(
          () => count('sluice_reconcile_rounds_total', { result: 'done' }),
          (error: unknown) => {
            count('sluice_reconcile_rounds_total', { result: 'failed' });
            this.context.logger.warn({ err: error }, 'reconciling did not succeed');
          },
        )
        .finally(() => this.next(this.context.environment.RECONCILE_INTERVAL_SECONDS * 1000));
    }, delayMs);
  }

  /** Jobs end together with the one that they wait for; should one have been left behind, it ends now. */
  private async endForgotten(): Promise<void> {
    const { database, facts } = this.resources;
    const ended = await database.query<{ id: string }[]>(
      `SELECT DISTINCT w.id FROM jobs j JOIN jobs w ON w.id = j.waits_for
       WHERE j.status IN ('pending', 'processing') AND w.status IN ('completed', 'failed') LIMIT ${AT_MOST}`,
    );
    for (const { id } of ended) {
      await facts.publish(
        ...(await database.transaction(async (manager) => {
          await manager.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [id]);
          return endWaiting(manager, id);
        })),
      );
    }
  }

  private async reconcile(): Promise<void> {
    const { database, queues } = this.resources;
    const jobs = await database.query<{ id: string; priority: number }[]>(
      `SELECT id, priority FROM jobs j WHERE status = 'processing' AND source_complete AND plan IS NOT NULL AND scan IN ('off', 'clean')
         AND EXISTS (SELECT 1 FROM spans WHERE job_id = j.id)
         AND NOT EXISTS (SELECT 1 FROM spans WHERE job_id = j.id AND status <> 'done')
         AND NOT (packaged_at IS NOT NULL AND EXISTS (
           SELECT 1 FROM finishing_tasks WHERE job_id = j.id AND status IN ('pending', 'running')))
       ORDER BY created_at LIMIT ${AT_MOST}`,
    );
    await queues.enqueueAll(
      'package',
      jobs.map(({ id, priority }) => ({
        payload: { jobId: id },
        options: { priority: toQueuePriority(priority) },
      })),
    );
    await this.endForgotten();
    await database.query(LET_GO, [this.context.environment.SOURCE_RETENTION_HOURS]);
    const assets = await database.query<{ id: string }[]>(
      `SELECT id FROM assets WHERE status = 'deleting' ORDER BY deleting_since LIMIT ${AT_MOST}`,
    );
    await queues.enqueueAll(
      'cleanup',
      assets.map(({ id }) => ({ payload: { assetId: id } })),
    );
  }
}
