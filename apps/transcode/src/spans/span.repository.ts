import { Inject, Injectable } from '@nestjs/common';
import { type ErrorCode, type RenditionName, SluiceError } from '#contracts';
import { failJob, type JobFault, recordFact } from '#events';
import type { CopyStrategy, Plan, PlannedSpan } from '#media';
import type { DataSource } from '#persistence';
import {
  dropDerived,
  IS_WAITING,
  type QueuedSpan,
  queuedSpan,
  SPAN_ENTRY,
  type SpanEntry,
  WORKER_LIVES,
} from '#work';
import { DATA_SOURCE } from '../tokens.js';
import type { Extension } from './lease.js';
import type { SpanParams } from './span-params.js';
import type { WantedBytes } from './wanted-bytes.js';

export interface ClaimedSpan {
  id: string;
  jobId: string;
  position: number;
  kind: PlannedSpan['kind'];
  renditions: RenditionName[];
  firstSegment: number;
  segmentCount: number;
  params: SpanParams;
  lease: number;
  attempts: number;
  uncleanDeaths: number;
  priority: number;
  plan: Plan;
  /** For each rendition, the segments of this span that have a row. */
  stored: Map<RenditionName, Set<number>>;
  /** SHA-256 and encoder of the init segment that each rendition has already. */
  inits: Map<RenditionName, { sha256: string; encoder: string }>;
}

/** `next`: spans that have waited for this one. */
export type Finished = { kind: 'last' | 'lost' } | { kind: 'more'; next: QueuedSpan[] };

export type Claim =
  | { kind: 'claimed'; span: ClaimedSpan }
  /** Another worker has it, or one that it waits for is not done. */
  | { kind: 'not-now' }
  | { kind: 'nothing-to-do' };

interface SpanRow {
  id: string;
  job_id: string;
  position: number;
  kind: ClaimedSpan['kind'];
  renditions: RenditionName[];
  first_segment: number;
  segment_count: number;
  params: SpanParams;
  lease_number: number;
  attempts: number;
  unclean_deaths: number;
  priority: number;
  plan: Plan;
}

/** So long a worker leaves what stalled there to the others; they may all be busy for longer. */
const AVOID_SECONDS = 10;
/** SQL, $2 the worker: the span stalled at it a moment ago, and it is not the only one (S4-04). */
const IS_ANOTHERS_TURN = `(spans.avoid_worker IS NOT DISTINCT FROM $2 AND spans.avoid_until > now()
  AND EXISTS (SELECT 1 FROM workers WHERE id <> $2 AND ${WORKER_LIVES}))`;

/** The rows of spans: claims, leases and ends (docs/model.md). */
@Injectable()
export class SpanRepository {
  constructor(@Inject(DATA_SOURCE) private readonly dataSource: DataSource) {}

  async claim(spanId: string, workerId: string, leaseSeconds: number): Promise<Claim> {
    const [rows] = (await this.dataSource.query(
      `UPDATE spans SET status = 'running', lease_number = spans.lease_number + 1, lease_owner = $2,
         lease_expires_at = now() + $3 * interval '1 second', updated_at = now(),
         unclean_deaths = unclean_deaths + (spans.status = 'running' AND spans.lease_owner IS DISTINCT FROM $2)::int
       FROM jobs WHERE spans.id = $1 AND jobs.id = spans.job_id AND jobs.status = 'processing'
         AND (spans.status = 'pending' OR (spans.status = 'running' AND spans.lease_expires_at < now()))
         AND spans.released AND NOT ${IS_WAITING} AND NOT ${IS_ANOTHERS_TURN}
       RETURNING spans.*, jobs.priority, jobs.plan`,
      [spanId, workerId, leaseSeconds],
    )) as [SpanRow[], number];
    const row = rows[0];
    if (row) return { kind: 'claimed', span: await this.withStored(row) };
    const open = (await this.dataSource.query(
      `SELECT 1 FROM spans JOIN jobs ON jobs.id = spans.job_id
       WHERE spans.id = $1 AND spans.status IN ('pending', 'running') AND spans.released AND jobs.status = 'processing'`,
      [spanId],
    )) as unknown[];
    return { kind: open.length > 0 ? 'not-now' : 'nothing-to-do' };
  }

  /** Fenced by the lease's number; learns on the way whether the job is still wanted. */
  async extend(span: ClaimedSpan, leaseSeconds: number): Promise<Extension> {
    const rows = (await this.dataSource.query(
      `WITH extended AS (
         UPDATE spans SET lease_expires_at = now() + $3 * interval '1 second'
         WHERE id = $1 AND lease_number = $2 AND status = 'running' RETURNING 1)
       SELECT (SELECT count(*)::int FROM extended) AS held,
         (SELECT status = 'processing' FROM jobs WHERE id = $4) AS open`,
      [span.id, span.lease, leaseSeconds, span.jobId],
    )) as { held: number; open: boolean | null }[];
    if (rows[0]?.open !== true) return 'ended';
    return rows[0].held === 1 ? 'held' : 'lost';
  }

  /**
   * Ends a span of which every segment has a row, and says whether it was the job's last open one. `lost`:
   * another worker has it. `next`: those that have waited for it. Throws `segments_missing` when something was confirmed and yet has no row.
   */
  async finish(span: ClaimedSpan): Promise<Finished> {
    const [rows] = (await this.dataSource.query(
      `UPDATE spans SET status = 'done', lease_owner = NULL, lease_expires_at = NULL, updated_at = now()
       WHERE id = $1 AND lease_number = $2 AND status = 'running' AND NOT EXISTS (
         SELECT 1 FROM renditions r CROSS JOIN LATERAL generate_series(
           GREATEST(spans.first_segment, COALESCE((spans.params -> 'skipTo' ->> r.name)::integer, 0)),
           spans.first_segment + spans.segment_count - 1) AS planned
         WHERE r.job_id = spans.job_id AND r.name = ANY (spans.renditions)
           AND NOT EXISTS (SELECT 1 FROM segments g WHERE g.rendition_id = r.id AND g.segment_index = planned))
       RETURNING 1`,
      [span.id, span.lease],
    )) as [unknown[], number];
    if (rows.length === 0) {
      if ((await this.extend(span, 1)) === 'held') {
        throw new SluiceError('segments_missing', 'Segments of this work are not stored; it is done again.');
      }
      return { kind: 'lost' };
    }
    return this.after(span);
  }

  private async after(span: ClaimedSpan): Promise<Finished> {
    const open = (await this.dataSource.query(
      `SELECT 1 FROM spans WHERE job_id = $1 AND status <> 'done' LIMIT 1`,
      [span.jobId],
    )) as unknown[];
    return open.length === 0 ? { kind: 'last' } : { kind: 'more', next: await this.waitingFor(span) };
  }

  private async waitingFor(span: ClaimedSpan): Promise<QueuedSpan[]> {
    const rows = (await this.dataSource.query(
      `SELECT ${SPAN_ENTRY} FROM spans JOIN jobs ON jobs.id = spans.job_id
       WHERE spans.job_id = $1 AND spans.status = 'pending' AND spans.released
         AND (spans.params ->> 'waitsFor')::integer = $2 ORDER BY spans.position`,
      [span.jobId, span.position],
    )) as SpanEntry[];
    return rows.map(queuedSpan);
  }

  /** Gives it back without blame (SIGTERM), or with one more attempt counted. What stalled here is for another worker to try. */
  async release(span: ClaimedSpan, error?: { code: ErrorCode; message: string }): Promise<void> {
    await this.dataSource.query(
      `UPDATE spans SET status = 'pending', lease_owner = NULL, lease_expires_at = NULL, updated_at = now(),
         attempts = attempts + $3, error_code = $4::text, error_message = $5,
         avoid_worker = CASE WHEN $4::text = 'encode_stalled' THEN lease_owner END,
         avoid_until = now() + $6 * interval '1 second'
       WHERE id = $1 AND lease_number = $2 AND status = 'running'`,
      [span.id, span.lease, error ? 1 : 0, error?.code ?? null, error?.message ?? null, AVOID_SECONDS],
    );
  }

  /** Gives it back to be copied in another way: no blame, and the ways are as many as they are. */
  async copyInstead(span: ClaimedSpan, strategy: CopyStrategy): Promise<void> {
    await this.dataSource.query(
      `UPDATE spans SET status = 'pending', lease_owner = NULL, lease_expires_at = NULL, updated_at = now(),
         params = params || jsonb_build_object('copyStrategy', $3::text)
       WHERE id = $1 AND lease_number = $2 AND status = 'running'`,
      [span.id, span.lease, strategy],
    );
  }

  /** Gives it back until these bytes have arrived (`to` null: all of them); nobody is to blame. */
  async waitFor(span: ClaimedSpan, { from, to }: WantedBytes): Promise<void> {
    await this.dataSource.query(
      `UPDATE spans SET status = 'pending', released = false, bytes_from = $3, bytes_to = $4,
         lease_owner = NULL, lease_expires_at = NULL, updated_at = now()
       WHERE id = $1 AND lease_number = $2 AND status = 'running'`,
      [span.id, span.lease, from, to],
    );
  }

  /**
   * The source's own pictures are not fit after all: what was made of it goes, and the job is planned anew
   * without a copied rung. False when somebody else has ended the job, or has the span now.
   */
  async giveUpCopy(span: ClaimedSpan, reason: string): Promise<boolean> {
    return this.dataSource.transaction(async (manager) => {
      await manager.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [span.jobId]);
      const held = (await manager.query(
        `SELECT 1 FROM spans WHERE id = $1 AND lease_number = $2 AND status = 'running' FOR UPDATE`,
        [span.id, span.lease],
      )) as unknown[];
      if (held.length === 0) return false;
      await manager.query('UPDATE jobs SET copy_denied = $2 WHERE id = $1', [span.jobId, reason]);
      await dropDerived(manager, span.jobId);
      return true;
    });
  }

  /**
   * A track beside the default ones cannot be made: it is left out, which is said once, and the job goes on.
   * The span counts as done and keeps the reason; null when somebody else has it now, or the job has ended.
   */
  async leaveOut(span: ClaimedSpan, error: { code: ErrorCode; message: string }) {
    const left = await this.dataSource.transaction(async (manager) => {
      await manager.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [span.jobId]);
      const [rows] = (await manager.query(
        `UPDATE spans SET status = 'done', error_code = $3, error_message = $4, lease_owner = NULL,
           lease_expires_at = NULL, updated_at = now()
         WHERE id = $1 AND lease_number = $2 AND status = 'running' RETURNING 1`,
        [span.id, span.lease, error.code, error.message],
      )) as [unknown[], number];
      if (rows.length === 0) return null;
      await manager.query('DELETE FROM renditions WHERE job_id = $1 AND name = ANY ($2)', [
        span.jobId,
        span.renditions,
      ]);
      const message = `A track of the video could not be converted and is left out (${span.renditions.join(', ')}).`;
      return recordFact(manager, span.jobId, { type: 'processing_progress', durable: true, message });
    });
    return left && { fact: left, finished: await this.after(span) };
  }

  /** The span fails and its job with it. Null when somebody else has ended the job, or has the span now. */
  async failWithJob(span: ClaimedSpan, error: JobFault) {
    return this.dataSource.transaction(async (manager) => {
      await manager.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [span.jobId]);
      const [rows] = (await manager.query(
        `UPDATE spans SET status = 'failed', error_code = $3, error_message = $4, lease_owner = NULL,
           lease_expires_at = NULL, updated_at = now()
         WHERE id = $1 AND lease_number = $2 AND status = 'running' RETURNING 1`,
        [span.id, span.lease, error.code, error.message],
      )) as [unknown[], number];
      return rows.length === 0 ? null : failJob(manager, span.jobId, error);
    });
  }

  private async withStored(row: SpanRow): Promise<ClaimedSpan> {
    const rows = (await this.dataSource.query(
      `SELECT r.name, r.init_sha256, r.encoder, COALESCE(array_agg(s.segment_index) FILTER (WHERE s.segment_index IS NOT NULL), '{}') AS stored
       FROM renditions r LEFT JOIN segments s ON s.rendition_id = r.id
         AND s.segment_index >= $3 AND s.segment_index < $4
       WHERE r.job_id = $1 AND r.name = ANY ($2) GROUP BY r.id`,
      [row.job_id, row.renditions, row.first_segment, row.first_segment + row.segment_count],
    )) as { name: RenditionName; init_sha256: string | null; encoder: string | null; stored: number[] }[];
    if (rows.length !== row.renditions.length) {
      throw new SluiceError('internal', 'The renditions of this work are not what was planned.');
    }
    return {
      id: row.id,
      jobId: row.job_id,
      position: row.position,
      kind: row.kind,
      renditions: row.renditions,
      firstSegment: row.first_segment,
      segmentCount: row.segment_count,
      params: row.params,
      lease: row.lease_number,
      attempts: row.attempts,
      uncleanDeaths: row.unclean_deaths,
      priority: row.priority,
      plan: row.plan,
      stored: new Map(rows.map((r) => [r.name, new Set(r.stored)])),
      inits: new Map(
        rows.flatMap((r) =>
          r.init_sha256 && r.encoder ? [[r.name, { sha256: r.init_sha256, encoder: r.encoder }]] : [],
        ),
      ),
    };
  }
}
