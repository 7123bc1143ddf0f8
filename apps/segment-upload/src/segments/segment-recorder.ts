import { Inject, Injectable } from '@nestjs/common';
import type { SegmentPayload, TenantFact } from '#contracts';
import type { DataSource, EntityManager, SpanStatus } from '#persistence';
import { ProgressFacts, type Scan } from '../progress/progress-facts.js';
import { DATABASE } from '../tokens.js';
import type { SegmentObject } from './segment-objects.js';
import { holdsLease, sameInit } from './segment-rows.js';

/**
 * `recorded`: the row is new. `known`: another copy was first, it stays. `late`: the lease has gone to
 * somebody else. `closed`: the job has ended. `refused`: another init segment than the rendition's.
 */
export type Outcome = 'recorded' | 'known' | 'late' | 'closed' | 'refused';

export interface Recorded {
  outcome: Outcome;
  facts: (TenantFact | null)[];
}

interface Target {
  renditionId: string;
  /** All of them are stored. */
  objects: readonly SegmentObject[];
}

/** Adopts a stored object by its row, together with the counters and what is to be said of it. */
@Injectable()
export class SegmentRecorder {
  constructor(
    @Inject(DATABASE) private readonly database: DataSource,
    @Inject(ProgressFacts) private readonly progress: ProgressFacts,
  ) {}

  /**
   * One transaction; locks: job, span, rendition. The job's row FOR UPDATE from the start, because its
   * progress moves too: two segments that first shared it would wait for each other.
   */
  record(segment: SegmentPayload, target: Target): Promise<Recorded> {
    return this.database.transaction(async (manager) => {
      const jobs = await manager.query<{ status: string; playable: boolean; scan: Scan }[]>(
        'SELECT status, playable_at IS NOT NULL AS playable, scan FROM jobs WHERE id = $1 FOR UPDATE',
        [segment.jobId],
      );
      const job = jobs[0];
      const spans = await manager.query<{ jobId: string; spanStatus: SpanStatus; leaseNumber: number }[]>(
        `SELECT job_id AS "jobId", status AS "spanStatus", lease_number AS "leaseNumber" FROM spans
         WHERE id = $1 FOR SHARE`,
        [segment.spanId],
      );
      // Handed over to another job (docs/model.md, Dedup): its next owner may be about to name the same object.
      if (spans[0] && spans[0].jobId !== segment.jobId) return { outcome: 'late', facts: [] };
      if (job?.status !== 'processing') return { outcome: 'closed', facts: [] };
      if (!spans[0] || !holdsLease(spans[0], segment)) return { outcome: 'late', facts: [] };
      const outcome =
        segment.index < 0
          ? await setInit(manager, segment, target)
          : await insertSegment(manager, segment, target);
      if (outcome !== 'recorded') return { outcome, facts: [] };
      return {
        outcome,
        facts: await this.progress.after(manager, segment, target.renditionId, job),
      };
    });
  }
}

async function insertSegment(
  manager: EntityManager,
  segment: SegmentPayload,
  { renditionId, objects }: Target,
): Promise<Outcome> {
  const [cmaf, ts] = objects;
  const { jobId, spanId, lease, index, start, duration, size, sha256 } = segment;
  const inserted = await manager.query<unknown[]>(
    `INSERT INTO segments (rendition_id, segment_index, tenant_id, job_id, span_id, lease_number,
       start_ticks, duration_ticks, size, sha256, storage_path, ts_path, ts_size)
     SELECT $1, $2, tenant_id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM renditions WHERE id = $1
     ON CONFLICT (rendition_id, segment_index) DO NOTHING RETURNING 1`,
    [
      ...[renditionId, index, jobId, spanId, lease, start, duration, size, sha256, cmaf?.key],
      ...[ts?.key ?? null, ts?.size ?? null],
    ],
  );
  if (inserted.length === 0) return 'known';
  await manager.query(
    `UPDATE renditions SET segments_completed = segments_completed + 1, bytes = bytes + $2,
       seconds_completed = seconds_completed + $3::bigint / timescale::double precision,
       completed_at = CASE WHEN segments_completed + 1 = segments_total THEN now() ELSE completed_at END
     WHERE id = $1`,
    [renditionId, size, duration],
  );
  return 'recorded';
}

/** The first init segment of a rendition stands for all of its spans. */
async function setInit(
  manager: EntityManager,
  segment: SegmentPayload,
  { renditionId, objects }: Target,
): Promise<Outcome> {
  const key = objects[0]?.key;
  const { codecs, sha256, size, encoder } = segment;
  const [updated] = await manager.query<[unknown[], number]>(
    `UPDATE renditions SET codecs = $2, init_key = $3, init_sha256 = $4, init_size = $5, encoder = $6
     WHERE id = $1 AND init_sha256 IS NULL RETURNING id`,
    [renditionId, codecs ?? null, key, sha256, size, encoder ?? null],
  );
  if (updated.length > 0) return 'recorded';
  const stored = await manager.query<{ storedSha256: string; encoder: string | null }[]>(
    'SELECT init_sha256 AS "storedSha256", encoder FROM renditions WHERE id = $1',
    [renditionId],
  );
  return stored[0] && sameInit(stored[0], segment) ? 'known' : 'refused';
}
