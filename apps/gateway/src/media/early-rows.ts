import { Inject, Injectable } from '@nestjs/common';
import type { RenditionKind, RenditionName, TrackRole } from '#contracts';
import type { Database } from '../resources.js';
import { DATABASE } from '../tokens.js';

export interface EarlyRendition {
  id: string;
  name: RenditionName;
  kind: RenditionKind;
  inStartSet: boolean;
  width: number | null;
  height: number | null;
  fpsNum: number | null;
  fpsDen: number | null;
  timescale: number;
  /** Bits per second. */
  maxBitrate: number;
  /** Whole seconds. */
  targetDuration: number;
  language: string | null;
  title: string | null;
  role: TrackRole | null;
  isDefault: boolean;
  channels: number | null;
  codecs: string | null;
  initKey: string | null;
  /** Its segments are stored as MPEG-TS, too. */
  ts: boolean | null;
  segmentsTotal: number | null;
  completed: boolean;
  /** Segment 0 is stored. */
  started: boolean;
}

export interface EarlySegment {
  index: number;
  durationTicks: number;
  key: string;
  tsKey: string | null;
}

/** Segments of one read; a longer list is read in several. */
const PAGE = 2000;

/** What the early playlists are made from. */
@Injectable()
export class EarlyRows {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  /** The renditions of the asset's job, of several the newest that works or has worked; top rung first, audio last; none when its media is going or gone. */
  renditions(assetId: string): Promise<EarlyRendition[]> {
    return this.database.query<EarlyRendition[]>(
      `SELECT r.id, r.name, r.kind, r.in_start_set AS "inStartSet", r.width, r.height, r.fps_num AS "fpsNum",
         r.fps_den AS "fpsDen", r.timescale, r.max_bitrate AS "maxBitrate", r.target_duration AS "targetDuration",
         r.language, r.title, r.role, r.is_default AS "isDefault", r.channels, r.codecs, r.init_key AS "initKey", r.ts, r.segments_total AS "segmentsTotal",
         r.completed_at IS NOT NULL AS completed,
         EXISTS (SELECT 1 FROM segments s WHERE s.rendition_id = r.id AND s.segment_index = 0) AS started
       FROM (SELECT id, status, scan FROM jobs WHERE asset_id = $1 AND waits_for IS NULL
         ORDER BY status = 'failed', created_at DESC LIMIT 1) j
       JOIN renditions r ON r.job_id = j.id
       JOIN assets a ON a.id = r.asset_id
       WHERE j.status <> 'failed' AND j.scan IN ('off', 'clean') AND a.status IN ('provisional', 'ready')
       ORDER BY r.position`,
      [assetId],
    );
  }

  /** Whether the asset can be played and the rows of its job are gone. */
  async isReplaced(assetId: string): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(
      `SELECT 1 FROM assets a WHERE a.id = $1 AND a.status = 'ready'
         AND NOT EXISTS (SELECT 1 FROM renditions r WHERE r.asset_id = a.id)`,
      [assetId],
    );
    return rows.length > 0;
  }

  /** Whether the virus scanner has not let the asset go. */
  async isHeld(assetId: string): Promise<boolean> {
    const rows = await this.database.query<unknown[]>(
      `SELECT 1 FROM jobs WHERE asset_id = $1 AND waits_for IS NULL AND scan IN ('pending', 'refused') LIMIT 1`,
      [assetId],
    );
    return rows.length > 0;
  }

  /** The stored segments that follow `from` without a gap, `from` included. */
  async *contiguous(renditionId: string, from: number): AsyncIterable<EarlySegment> {
    let next = from;
    while (true) {
      const page = await this.database.query<EarlySegment[]>(
        `SELECT segment_index AS index, duration_ticks AS "durationTicks", storage_path AS key, ts_path AS "tsKey" FROM segments
         WHERE rendition_id = $1 AND segment_index >= $2 ORDER BY segment_index LIMIT ${PAGE}`,
        [renditionId, next],
      );
      for (const segment of page) {
        if (segment.index !== next) return;
        yield segment;
        next += 1;
      }
      if (page.length < PAGE) return;
    }
  }
}
