import { randomUUID } from 'node:crypto';
import type { PlannedSpan } from '#media';
import type { EntityManager } from '#persistence';
import type { SpanParams } from '../spans/span-params.js';

/** `firstPosition`: how many the job has already. */
export async function insertSpans(
  manager: EntityManager,
  { jobId, tenantId }: { jobId: string; tenantId: string },
  spans: PlannedSpan[],
  firstPosition = 0,
): Promise<void> {
  const rows = spans.map((span, i) => ({
    id: randomUUID(),
    kind: span.kind,
    position: firstPosition + i,
    renditions: span.renditions,
    first_segment: span.firstSegment,
    segment_count: span.segmentCount,
    bytes_from: span.bytes?.from ?? null,
    bytes_to: span.bytes?.to ?? null,
    params: {
      seekSeconds: span.seekSeconds,
      skipTo: span.skipTo,
      waitsFor: span.waitsFor,
      reads: span.reads ?? null,
    } satisfies SpanParams,
  }));
  await manager.query(
    `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, segment_count, params, bytes_from, bytes_to)
     SELECT id, $1, $2, kind, position, ARRAY(SELECT jsonb_array_elements_text(renditions)), first_segment, segment_count, params,
       bytes_from, bytes_to
     FROM jsonb_to_recordset($3::jsonb) AS s(id uuid, kind text, position integer, renditions jsonb, first_segment integer,
       segment_count integer, params jsonb, bytes_from bigint, bytes_to bigint)`,
    [tenantId, jobId, JSON.stringify(rows)],
  );
}
