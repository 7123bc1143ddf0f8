import { Injectable } from '@nestjs/common';
import {
  EARLY_MULTIVARIANT,
  mediaPrefix,
  NO_PLAYBACK,
  percentOf,
  type RenditionProgress,
  type SegmentPayload,
  type TenantFact,
  tsPlaylist,
} from '#contracts';
import { recordFact } from '#events';
import type { EntityManager } from '#persistence';
import type { PacedRendition } from '#work';
import { measurePace } from './measure-pace.js';

export type Scan = 'off' | 'pending' | 'clean' | 'refused';

/** S0-17 */
const INTERVAL = '2 seconds';

interface Row extends PacedRendition {
  in_start_set: boolean;
  /** Its init segment and its first segment are stored. */
  started: boolean;
  ts: boolean | null;
}

/** What is said of a job after a segment of it has been recorded, in the same transaction. */
@Injectable()
export class ProgressFacts {
  /** With the job's lock held. `playable`: that has been said before; a file that has no verdict yet is not. */
  async after(
    manager: EntityManager,
    { jobId, index }: SegmentPayload,
    renditionId: string,
    { playable, scan }: { playable: boolean; scan: Scan },
  ): Promise<(TenantFact | null)[]> {
    // After a verdict the first segments have come by, and each may be the one that says it.
    if (!playable && (scan === 'clean' || (scan === 'off' && index <= 0))) {
      const rows = await renditionsOf(manager, jobId);
      if (canStart(rows)) return [await becomePlayable(manager, jobId, rows)];
    }
    if (index < 0 || !(await mayBeSaid(manager, renditionId))) return [];
    const rows = await renditionsOf(manager, jobId);
    const fact = await recordFact(manager, jobId, {
      type: 'processing_progress',
      durable: false,
      stage: 'transcoding',
      progress: transcodingProgress(rows),
      renditions: rows.map(toProgress),
      ...(await measurePace(manager, jobId, rows)),
    });
    return [fact];
  }
}

/** Percent of the whole job. While one rendition's end is not known the share of all is not either: its beginning. */
export function transcodingProgress(
  renditions: readonly Pick<RenditionProgress, 'segments_completed' | 'segments_total'>[],
): number {
  let stored = 0;
  let planned = 0;
  for (const { segments_completed, segments_total } of renditions) {
    if (segments_total === null) return percentOf('transcoding');
    stored += Math.min(segments_completed, segments_total);
    planned += segments_total;
  }
  return percentOf('transcoding', planned === 0 ? 0 : stored / planned);
}

export async function renditionsOf(manager: EntityManager, jobId: string): Promise<Row[]> {
  return manager.query<Row[]>(
    `SELECT r.name, r.kind, r.mode, r.width, r.height, r.segments_completed, r.segments_total,
       r.seconds_completed, r.in_start_set, r.ts,
       r.init_key IS NOT NULL AND EXISTS
         (SELECT 1 FROM segments s WHERE s.rendition_id = r.id AND s.segment_index = 0) AS started
     FROM renditions r WHERE r.job_id = $1 ORDER BY r.position`,
    [jobId],
  );
}

export const toProgress = ({
  in_start_set,
  started,
  seconds_completed,
  ts,
  ...progress
}: Row): RenditionProgress => progress;

const canStart = (rows: readonly Row[]) =>
  rows.some((row) => row.in_start_set) && rows.every((row) => row.started || !row.in_start_set);

async function becomePlayable(manager: EntityManager, jobId: string, rows: readonly Row[]) {
  const [updated] = await manager.query<[{ asset_id: string }[], number]>(
    'UPDATE jobs SET playable_at = now() WHERE id = $1 AND playable_at IS NULL RETURNING asset_id',
    [jobId],
  );
  const job = updated[0];
  if (!job) return null;
  await manager.query('UPDATE renditions SET progress_sent_at = clock_timestamp() WHERE job_id = $1', [
    jobId,
  ]);
  return recordFact(manager, jobId, {
    type: 'processing_progress',
    durable: true,
    stage: 'transcoding',
    progress: transcodingProgress(rows),
    message: 'The stream can be played while the rest is being encoded.',
    renditions: rows.map(toProgress),
    playback: {
      ...NO_PLAYBACK,
      early: `/${mediaPrefix(job.asset_id)}${EARLY_MULTIVARIANT}`,
      early_ts: tsPlaylist(
        job.asset_id,
        'early',
        rows.every((row) => row.ts || !row.in_start_set),
      ),
    },
  });
}

/** One statement decides, whatever number of processes ask. The clock's time: a transaction may have waited for its lock. */
async function mayBeSaid(manager: EntityManager, renditionId: string): Promise<boolean> {
  const [updated] = await manager.query<[unknown[], number]>(
    `UPDATE renditions SET progress_sent_at = clock_timestamp() WHERE id = $1
       AND (progress_sent_at IS NULL OR progress_sent_at <= clock_timestamp() - $2::interval) RETURNING id`,
    [renditionId, INTERVAL],
  );
  return updated.length > 0;
}
