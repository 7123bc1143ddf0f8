import { Inject, Injectable } from '@nestjs/common';
import type { JobStatus, RenditionKind, RenditionName, TrackRole } from '#contracts';
import type { AssetStatus, DataSource } from '#persistence';
import { DATABASE } from '../tokens.js';

export interface PackageJob {
  id: string;
  assetId: string;
  /** `profileKey` of the contracts. */
  profile: string;
  status: JobStatus;
  assetStatus: AssetStatus;
  /** All of the source is here and planned, nothing is still to be done, and no verdict is waited for. */
  isDue: boolean;
  /** The finished playlists are stored. */
  isPackaged: boolean;
}

/** A rendition and what its stored segments amount to. */
export interface StoredRendition {
  id: string;
  name: RenditionName;
  kind: RenditionKind;
  mode: 'encode' | 'copy';
  width: number | null;
  height: number | null;
  fpsNum: number | null;
  fpsDen: number | null;
  timescale: number;
  /** Whole seconds. */
  targetDuration: number;
  language: string | null;
  title: string | null;
  role: TrackRole | null;
  isDefault: boolean;
  channels: number | null;
  codecs: string | null;
  initKey: string | null;
  segmentsTotal: number | null;
  stored: number;
  /** Its segments are wanted as MPEG-TS, too; false: they were, and cannot be. */
  ts: boolean | null;
  /** Segments that are stored so. */
  storedTs: number;
  /** Of the stored segments, without the init segment. */
  bytes: number;
  longestTicks: number;
  endTicks: number;
  /** First index whose segment does not begin where the one before ends. */
  brokenAt: number | null;
}

export interface StoredSegment {
  index: number;
  startTicks: number;
  durationTicks: number;
  size: number;
  key: string;
  tsKey: string | null;
  tsSize: number | null;
}

/** Numbers of tracks beyond the limits, and the names of those that could not be converted. */
export interface LeftOut {
  audio: number;
  subtitles: number;
  failed: RenditionName[];
}

/** Whether there are playlists over segments of MPEG-TS. */
export const hasTs = (renditions: readonly Pick<StoredRendition, 'ts'>[]): boolean =>
  renditions.some(({ ts }) => ts === true);

/** Segments of one read; a longer list is read in several. */
const PAGE = 1000;

/** What packaging reads. The rows of a job whose spans are done no longer change. */
@Injectable()
export class PackageRows {
  constructor(@Inject(DATABASE) private readonly database: DataSource) {}

  async job(jobId: string): Promise<PackageJob | null> {
    const rows = await this.database.query<PackageJob[]>(
      `SELECT j.id, j.asset_id AS "assetId", a.profile, j.status, a.status AS "assetStatus",
         j.source_complete AND j.plan IS NOT NULL AND EXISTS (SELECT 1 FROM spans WHERE job_id = $1)
           AND NOT EXISTS (SELECT 1 FROM spans WHERE job_id = $1 AND status <> 'done')
           AND j.scan IN ('off', 'clean') AS "isDue", j.packaged_at IS NOT NULL AS "isPackaged"
       FROM jobs j JOIN assets a ON a.id = j.asset_id WHERE j.id = $1`,
      [jobId],
    );
    return rows[0] ?? null;
  }

  /** Top rung first, audio after the pictures, text last. */
  renditions(jobId: string): Promise<StoredRendition[]> {
    return this.database.query<StoredRendition[]>(
      `SELECT r.id, r.name, r.kind, r.mode, r.width, r.height, r.fps_num AS "fpsNum", r.fps_den AS "fpsDen", r.timescale,
         r.target_duration AS "targetDuration", r.language, r.title, r.role, r.is_default AS "isDefault", r.channels, r.codecs, r.init_key AS "initKey",
         r.segments_total AS "segmentsTotal", count(g.size)::integer AS stored,
         r.ts, count(g.ts_size)::integer AS "storedTs",
         coalesce(sum(g.size), 0)::bigint AS bytes, coalesce(max(g.duration_ticks), 0) AS "longestTicks",
         coalesce(max(g.start_ticks + g.duration_ticks), 0) AS "endTicks",
         min(g.segment_index) FILTER (WHERE g.start_ticks <> g.expected) AS "brokenAt"
       FROM renditions r LEFT JOIN LATERAL (
         SELECT segment_index, size, ts_size, start_ticks, duration_ticks,
           lag(start_ticks + duration_ticks) OVER (ORDER BY segment_index) AS expected
         FROM segments WHERE rendition_id = r.id) g ON true
       WHERE r.job_id = $1 GROUP BY r.id ORDER BY r.position`,
      [jobId],
    );
  }

  /** Tracks of the source that its stream lacks. */
  async leftOut(jobId: string): Promise<LeftOut> {
    const rows = await this.database.query<LeftOut[]>(
      `SELECT COALESCE((plan #>> '{tracks,leftOut,audio}')::integer, 0) AS audio,
         COALESCE((plan #>> '{tracks,leftOut,subtitles}')::integer, 0) AS subtitles,
         ARRAY(SELECT unnest(renditions) FROM spans WHERE job_id = $1 AND status = 'done'
           AND kind IN ('audio', 'subtitles') AND error_code IS NOT NULL
           AND NOT EXISTS (SELECT 1 FROM renditions r WHERE r.job_id = $1 AND r.name = ANY(spans.renditions))
           ORDER BY 1) AS failed
       FROM jobs WHERE id = $1`,
      [jobId],
    );
    return rows[0] ?? { audio: 0, subtitles: 0, failed: [] };
  }

  /** Indices below `total` without a row, ascending, at most `limit`. */
  async missing(renditionId: string, total: number, limit: number): Promise<number[]> {
    const rows = await this.database.query<{ index: number }[]>(
      `SELECT i AS index FROM generate_series(0, $2::integer - 1) i
       WHERE NOT EXISTS (SELECT 1 FROM segments WHERE rendition_id = $1 AND segment_index = i)
       ORDER BY i LIMIT $3`,
      [renditionId, total, limit],
    );
    return rows.map((row) => row.index);
  }

  /** In order, never all in memory. */
  async *segments(renditionId: string): AsyncGenerator<StoredSegment> {
    let next = 0;
    while (true) {
      const page = await this.database.query<StoredSegment[]>(
        `SELECT segment_index AS index, start_ticks AS "startTicks", duration_ticks AS "durationTicks", size,
           storage_path AS key, ts_path AS "tsKey", ts_size AS "tsSize"
         FROM segments WHERE rendition_id = $1 AND segment_index >= $2 ORDER BY segment_index LIMIT ${PAGE}`,
        [renditionId, next],
      );
      yield* page;
      const last = page.at(-1);
      if (!last || page.length < PAGE) return;
      next = last.index + 1;
    }
  }

  /** Those of the keys that a row of the asset names. */
  async named(assetId: string, keys: readonly string[]): Promise<Set<string>> {
    const rows = await this.database.query<{ key: string }[]>(
      `SELECT init_key AS key FROM renditions WHERE asset_id = $1 AND init_key = ANY($2)
       UNION ALL
       SELECT s.storage_path FROM segments s JOIN renditions r ON r.id = s.rendition_id
       WHERE r.asset_id = $1 AND s.storage_path = ANY($2)
       UNION ALL
       SELECT s.ts_path FROM segments s JOIN renditions r ON r.id = s.rendition_id
       WHERE r.asset_id = $1 AND s.ts_path = ANY($2)
       UNION ALL
       SELECT unnest(f.objects) FROM finishing_tasks f JOIN jobs j ON j.id = f.job_id WHERE j.asset_id = $1`,
      [assetId, keys],
    );
    return new Set(rows.map((row) => row.key));
  }
}
