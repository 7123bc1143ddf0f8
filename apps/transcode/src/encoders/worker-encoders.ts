import { Inject, Injectable } from '@nestjs/common';
import type { EncoderName } from '#contracts';
import type { DataSource } from '#persistence';
import { dropDerived, WORKER_LIVES } from '#work';
import type { ClaimedSpan } from '../spans/span.repository.js';
import { DATA_SOURCE } from '../tokens.js';

/** So long a worker leaves to the others what it has no encoder for. */
const AVOID_SECONDS = 10;

/** Which encoders the processes have, as far as they know, and what becomes of work whose encoder is missing. */
@Injectable()
export class WorkerEncoders {
  constructor(@Inject(DATA_SOURCE) private readonly dataSource: DataSource) {}

  /** The first that another process has, or has not tried yet. */
  async claimedByOthers(workerId: string, names: readonly EncoderName[]): Promise<EncoderName | null> {
    const rows = (await this.dataSource.query(
      `SELECT DISTINCT unnest(encoders) AS name FROM workers WHERE id <> $1 AND ${WORKER_LIVES}`,
      [workerId],
    )) as { name: string }[];
    return names.find((name) => rows.some((row) => row.name === name)) ?? null;
  }

  /**
   * Gives a span back whose encoder this process has not. `others`: another one may have it. `replan`: none
   * has, or `mayPass` is false since it has failed in itself: what was made goes, so that nothing of two
   * encoders stands in one rendition, and the job is planned anew without it. `lost`: the span is no longer ours.
   */
  async giveBack(
    span: ClaimedSpan,
    workerId: string,
    mayPass: boolean,
  ): Promise<'others' | 'replan' | 'lost'> {
    const { name } = span.plan.encoder;
    return this.dataSource.transaction(async (manager) => {
      if (mayPass)
        await manager.query('UPDATE workers SET encoders = array_remove(encoders, $2) WHERE id = $1', [
          workerId,
          name,
        ]);
      await manager.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [span.jobId]);
      const held = (await manager.query(
        `SELECT EXISTS (SELECT 1 FROM workers WHERE id <> $3 AND ${WORKER_LIVES}
             AND (encoders IS NULL OR $4 = ANY (encoders))) AS elsewhere
         FROM spans WHERE id = $1 AND lease_number = $2 AND status = 'running' FOR UPDATE`,
        [span.id, span.lease, workerId, name],
      )) as { elsewhere: boolean }[];
      if (!held[0]) return 'lost';
      if (mayPass && held[0].elsewhere) {
        await manager.query(
          `UPDATE spans SET status = 'pending', lease_owner = NULL, lease_expires_at = NULL, updated_at = now(),
             avoid_worker = $2, avoid_until = now() + $3 * interval '1 second' WHERE id = $1`,
          [span.id, workerId, AVOID_SECONDS],
        );
        return 'others';
      }
      await manager.query(
        'UPDATE jobs SET encoders_denied = array_append(encoders_denied, $2) WHERE id = $1',
        [span.jobId, name],
      );
      await dropDerived(manager, span.jobId);
      return 'replan';
    });
  }
}
