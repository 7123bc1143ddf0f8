import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { Fact } from '#contracts';
import type { ServiceContext } from '#http';
import type { Database } from '../resources.js';
import { CONTEXT, DATABASE } from '../tokens.js';
import { Followers } from './followers.js';

const INTERVAL_MS = 2000;
const ROWS_AT_MOST = 2000;

/**
 * The stream is for speed and may lose facts (a publisher died between commit and publish, Redis was
 * away or emptied). For the jobs that are followed here, durable facts older than a second that did
 * not come by the stream are taken from their rows. Numbers are in commit order, so that the newest
 * row that is seen settles all below it.
 */
@Injectable()
export class CatchUp implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running = false;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(DATABASE) private readonly database: Database,
    @Inject(Followers) private readonly followers: Followers,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.compare(), INTERVAL_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async compare(): Promise<void> {
    const watched = this.followers.log.watched();
    if (this.running || watched.length === 0) return;
    this.running = true;
    try {
      const rows = await this.missing(watched);
      for (const { job_id, seq, payload } of rows) {
        this.followers.dispatch(payload);
        this.followers.log.settle(job_id, seq);
      }
    } catch (error) {
      this.context.logger.warn({ err: error }, 'rows could not be compared with the facts; trying again');
    } finally {
      this.running = false;
    }
  }

  private missing(watched: { jobId: string; floor: number }[]) {
    return this.database.query<{ job_id: string; seq: number; payload: Fact }[]>(
      `SELECT e.job_id, e.seq, e.payload
       FROM unnest($1::uuid[], $2::bigint[]) AS w (job_id, floor)
       JOIN progress_events e ON e.job_id = w.job_id AND e.seq > w.floor
       WHERE e.durable AND e.created_at < now() - interval '1 second'
       ORDER BY e.job_id, e.seq LIMIT ${ROWS_AT_MOST}`,
      [watched.map((w) => w.jobId), watched.map((w) => w.floor)],
    );
  }
}
