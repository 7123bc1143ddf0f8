import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { AUDIO_RENDITIONS, type RenditionName, SluiceError } from '#contracts';
import type { DataSource } from '#persistence';
import type { ObjectStore } from '#storage';
import type { ByteSource } from '../source/source-server.js';
import { DATA_SOURCE, STORE } from '../tokens.js';

/** A larger picture gains nothing where posters are shown. */
const POSTER_SHORT_SIDE = 720;

/** SQL: the video rendition that a poster is taken from: the largest up to 720p, else the smallest. */
export const posterRendition = (job: string) => `SELECT id FROM renditions AS candidates
  WHERE candidates.job_id = ${job} AND candidates.kind = 'video'
  ORDER BY LEAST(width, height) <= ${POSTER_SHORT_SIDE} DESC,
    LEAST(width, height) * CASE WHEN LEAST(width, height) <= ${POSTER_SHORT_SIDE} THEN -1 ELSE 1 END LIMIT 1`;

export interface StoredTrack {
  id: string;
  name: RenditionName;
  initKey: string;
  initSize: number;
}

export interface StoredVideo extends StoredTrack {
  mode: 'encode' | 'copy';
  width: number;
  height: number;
  timescale: number;
}

export interface StoredSegment {
  index: number;
  startTicks: number;
  durationTicks: number;
  size: number;
  key: string;
}

const VIDEO = `SELECT id, name, mode, width, height, timescale, init_key AS "initKey", init_size AS "initSize"
  FROM renditions`;

/** Reads what is stored of a job: rows that say where, and objects one behind the other as one file. */
@Injectable()
export class StoredMedia {
  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  /** Top rung first. */
  videos(jobId: string): Promise<StoredVideo[]> {
    return this.dataSource.query(
      `${VIDEO} WHERE job_id = $1 AND kind = 'video' AND init_key IS NOT NULL ORDER BY position`,
      [jobId],
    );
  }

  async posterVideo(jobId: string): Promise<StoredVideo | null> {
    const rows: StoredVideo[] = await this.dataSource.query(
      `${VIDEO} WHERE id = (${posterRendition('$1')}) AND init_key IS NOT NULL`,
      [jobId],
    );
    return rows[0] ?? null;
  }

  /** The rendition, and the default sound where there is any. */
  movie(jobId: string, rendition: string): Promise<StoredTrack[]> {
    return this.dataSource.query(
      `SELECT id, name, init_key AS "initKey", init_size AS "initSize" FROM renditions
       WHERE job_id = $1 AND name IN ($2, $3) AND init_key IS NOT NULL ORDER BY kind DESC`,
      [jobId, rendition, AUDIO_RENDITIONS[0]],
    );
  }

  /** Ascending; those of `indices` that are stored, or all. */
  segments(track: StoredTrack, indices: readonly number[] | null = null): Promise<StoredSegment[]> {
    return this.dataSource.query(
      `SELECT segment_index AS index, start_ticks AS "startTicks", duration_ticks AS "durationTicks", size,
         storage_path AS key
       FROM segments WHERE rendition_id = $1 AND ($2::integer[] IS NULL OR segment_index = ANY($2)) ORDER BY segment_index`,
      [track.id, indices],
    );
  }

  /** Where decoding begins for this segment: where it began for the span that made it. */
  async seekSeconds(jobId: string, segment: number): Promise<number | null> {
    const rows: { seek: number | null }[] = await this.dataSource.query(
      `SELECT (params ->> 'seekSeconds')::float8 AS seek FROM spans
       WHERE job_id = $1 AND kind = 'video' AND first_segment <= $2 AND first_segment + segment_count > $2
       ORDER BY first_segment DESC LIMIT 1`,
      [jobId, segment],
    );
    const row = rows[0];
    if (!row) throw new SluiceError('internal', 'No span has made this segment.');
    return row.seek;
  }

  /** The init segment and these segments as one file; ffmpeg does not mind what lies between them. */
  asFile(video: StoredVideo, segments: readonly StoredSegment[]): ByteSource {
    const parts = [{ key: video.initKey, size: video.initSize }, ...segments];
    return new ObjectsInARow(this.store, parts);
  }
}

class ObjectsInARow implements ByteSource {
  readonly size: number;

  constructor(
    private readonly store: ObjectStore,
    private readonly parts: readonly { key: string; size: number }[],
  ) {
    this.size = parts.reduce((sum, part) => sum + part.size, 0);
  }

  stream(start: number, end: number, signal?: AbortSignal): Readable {
    return Readable.from(this.pieces(start, end, signal), { objectMode: false });
  }

  private async *pieces(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    let at = 0;
    for (const { key, size } of this.parts) {
      const range = { start: Math.max(0, start - at), end: Math.min(size, end - at) };
      at += size;
      if (range.start < range.end) yield* (await this.store.get(key, range, signal)) as AsyncIterable<Buffer>;
    }
  }
}
