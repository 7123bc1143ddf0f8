import { Inject, Injectable } from '@nestjs/common';
import type { JobStatus, SegmentPayload } from '#contracts';
import type { DataSource, SpanStatus } from '#persistence';
import { DATABASE } from '../tokens.js';

/** What rows say of an announced segment before anything is fetched. */
export interface SegmentState {
  assetId: string;
  jobStatus: JobStatus;
  renditionId: string;
  /** Its segments are wanted as MPEG-TS, too. */
  ts: boolean | null;
  /** Of the segment, or of the init segment; null while none is stored. */
  storedSha256: string | null;
  /** The rendition's, with its init segment. */
  encoder: string | null;
  spanStatus: SpanStatus | null;
  leaseNumber: number | null;
  /** Null when the worker is gone and its row with it. */
  workerAddress: string | null;
}

export type Decision = 'fetch' | 'release' | 'refuse';

/** The copy of a late owner, of a job that has ended, or of what is stored is dropped. */
export function decide(state: SegmentState, segment: SegmentPayload): Decision {
  if (state.jobStatus !== 'processing' || !holdsLease(state, segment)) return 'release';
  if (state.storedSha256 === null) return 'fetch';
  if (segment.index >= 0) return 'release';
  return sameInit(state, segment) ? 'release' : 'refuse';
}

/** The span is still open and nobody has claimed it after this segment's owner. */
export const holdsLease = (
  span: { spanStatus: SpanStatus | null; leaseNumber: number | null },
  segment: SegmentPayload,
): boolean =>
  span.leaseNumber === segment.lease && (span.spanStatus === 'running' || span.spanStatus === 'pending');

/** All spans of a rendition must have the same init segment, of the same encoder. */
export const sameInit = (
  stored: { storedSha256: string | null; encoder: string | null },
  segment: SegmentPayload,
): boolean => stored.storedSha256 === segment.sha256 && stored.encoder === (segment.encoder ?? null);

@Injectable()
export class SegmentRows {
  constructor(@Inject(DATABASE) private readonly database: DataSource) {}

  /** Null when there is no such job or rendition. */
  async look({ jobId, spanId, workerId, rendition, index }: SegmentPayload): Promise<SegmentState | null> {
    const rows = await this.database.query<SegmentState[]>(
      `SELECT j.asset_id AS "assetId", j.status AS "jobStatus", r.id AS "renditionId", r.ts, r.encoder,
         CASE WHEN $5::integer < 0 THEN r.init_sha256 ELSE g.sha256 END AS "storedSha256",
         s.status AS "spanStatus", s.lease_number AS "leaseNumber", w.address AS "workerAddress"
       FROM jobs j
       JOIN renditions r ON r.job_id = j.id AND r.name = $3
       LEFT JOIN spans s ON s.job_id = j.id AND s.id = $2
       LEFT JOIN segments g ON g.rendition_id = r.id AND g.segment_index = $5
       LEFT JOIN workers w ON w.id = $4
       WHERE j.id = $1`,
      [jobId, spanId, rendition, workerId, index],
    );
    return rows[0] ?? null;
  }

  /** Whether a row of the asset names this object. */
  async names(assetId: string, key: string): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(
      `SELECT 1 FROM renditions r WHERE r.asset_id = $1 AND (r.init_key = $2
         OR EXISTS (SELECT 1 FROM segments s WHERE s.rendition_id = r.id AND (s.storage_path = $2 OR s.ts_path = $2))) LIMIT 1`,
      [assetId, key],
    );
    return rows.length > 0;
  }
}
