import type { EntityManager } from '#persistence';
import { lanesOf, type PacedRendition, type PaceSample, paceOf, withSample } from '#work';

interface Row {
  pace: PaceSample[];
  complete: boolean;
  now: number;
  bytes: number | null;
  bytesTotal: number | null;
}

/** With the job's lock held, after a segment: writes down how far it is, every two seconds at most, and says how fast. */
export async function measurePace(
  manager: EntityManager,
  jobId: string,
  renditions: readonly PacedRendition[],
): Promise<{ speed: number | null; etaSeconds: number | null }> {
  const rows = await manager.query<Row[]>(
    `SELECT j.pace, j.source_complete AS complete, extract(epoch FROM clock_timestamp())::double precision AS now,
       s.bytes_received AS bytes, s.file_size AS "bytesTotal"
     FROM jobs j LEFT JOIN LATERAL (SELECT bytes_received, file_size FROM upload_sessions
       WHERE job_id = j.id ORDER BY created_at LIMIT 1) s ON true
     WHERE j.id = $1`,
    [jobId],
  );
  const job = rows[0];
  if (!job) return { speed: null, etaSeconds: null };
  const lanes = lanesOf(renditions);
  const grown = lanes && withSample(job.pace, { at: job.now, bytes: job.bytes ?? 0, lanes });
  if (grown) await manager.query('UPDATE jobs SET pace = $2 WHERE id = $1', [jobId, JSON.stringify(grown)]);
  const { speed, eta_seconds } = paceOf(grown ?? job.pace, job.now, job);
  return { speed, etaSeconds: eta_seconds };
}
