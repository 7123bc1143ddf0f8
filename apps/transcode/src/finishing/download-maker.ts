import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { downloadFileName, QUALITIES, type Quality, renditionPrefix, SluiceError } from '#contracts';
import { ByteReader, Movie, readFragmentHeads, type StoredFragment } from '#media';
import { count } from '#observability';
import type { ObjectStore } from '#storage';
import { ENVIRONMENT, STORE } from '../tokens.js';
import { ahead } from './ahead.js';
import type { ClaimedTask, Outcome } from './finishing.repository.js';
import { SegmentReader } from './segment-reader.js';
import { StallWatch } from './stall-watch.js';
import { StoredMedia, type StoredSegment, type StoredTrack } from './stored-media.js';

/** Each reads the heads of one segment of every track: over a network the wait is for answers, not for bytes. */
const SEGMENTS_AT_ONCE = 8;

interface StoredMovie {
  tracks: { track: StoredTrack; segments: StoredSegment[] }[];
}

/**
 * A rendition and the default sound as one progressive MP4 (docs/adr/0013). The stored segments are read
 * twice: their heads for the tables in `moov`, then their media, which goes straight through to the store.
 */
@Injectable()
export class DownloadMaker {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(StoredMedia) private readonly media: StoredMedia,
  ) {}

  async make(task: ClaimedTask, signal: AbortSignal): Promise<Outcome> {
    const rendition = QUALITIES.find((name) => name === task.params.rendition);
    if (!rendition) throw new SluiceError('internal', 'A download of no rendition.');
    const { FFMPEG_STALL_GRACE_SECONDS: grace, FFMPEG_STALL_SECONDS: stall } = this.environment;
    const watch = new StallWatch({ graceMs: grace * 1000, stallMs: stall * 1000 }, signal);
    try {
      return await watch.during(this.write(task, rendition, watch));
    } catch (error) {
      if (!watch.stalled || signal.aborted) throw error;
      // S4-06: what is copied here are stored segments, whose times the ladder has settled already.
      count('sluice_vod_remux_stalls_total', { strategy: 'default' });
      throw watch.stalled;
    } finally {
      watch.stop();
    }
  }

  private async write(task: ClaimedTask, rendition: Quality, watch: StallWatch): Promise<Outcome> {
    const stored = await this.find(task.jobId, rendition);
    const reader = new SegmentReader(this.store, watch);
    const movie = await readTables(reader, stored);
    const { parts, size } = movie.head();
    const name = downloadFileName(digestOf(parts, stored));
    const key = renditionPrefix(task.assetId, rendition) + name;
    const body = Readable.from(file(reader, watch, parts, movie, stored), { objectMode: false });
    await this.store.put(key, body, { size, signal: watch.signal, onSending: () => watch.moved() });
    return { result: { rendition, name, bytes: size }, objects: [key], playback: null };
  }

  private async find(jobId: string, rendition: string): Promise<StoredMovie> {
    const tracks = await this.media.movie(jobId, rendition);
    if (tracks[0]?.name !== rendition)
      throw new SluiceError('segments_missing', 'The rendition is not stored.');
    return {
      tracks: await Promise.all(
        tracks.map(async (track) => ({ track, segments: await this.media.segments(track) })),
      ),
    };
  }
}

async function readTables(reader: SegmentReader, { tracks }: StoredMovie): Promise<Movie> {
  const movie = new Movie(
    await Promise.all(tracks.map(({ track }) => reader.bytes(track.initKey, 0, track.initSize))),
  );
  const most = Math.max(...tracks.map(({ segments }) => segments.length));
  const indices = Array.from({ length: most }, (_, index) => index);
  const read = (index: number): Promise<StoredFragment[][]> =>
    Promise.all(
      tracks.map(async ({ segments }) => {
        const segment = segments[index];
        if (!segment) return [];
        return readFragmentHeads(segment.size, (start, end) => reader.bytes(segment.key, start, end));
      }),
    );
  for await (const segment of ahead(indices, SEGMENTS_AT_ONCE, read)) movie.addSegment(segment);
  return movie;
}

/** The same segments give the same file, so that one that was begun again has the same name. */
function digestOf(head: readonly Buffer[], { tracks }: StoredMovie): string {
  const hash = createHash('sha256');
  for (const part of head) hash.update(part);
  for (const { segments } of tracks) for (const { key } of segments) hash.update(key).update('\n');
  return hash.digest('hex');
}

async function* file(
  reader: SegmentReader,
  watch: StallWatch,
  head: readonly Buffer[],
  movie: Movie,
  { tracks }: StoredMovie,
): AsyncGenerator<Buffer> {
  yield* head;
  const media = tracks.map(({ segments }) => Readable.from(reader.media(segments), { objectMode: false }));
  const readers = media.map((stream) => new ByteReader(stream));
  try {
    for (const { track, bytes } of movie.chunks()) yield* (readers[track] as ByteReader).stream(bytes);
    // To make it durable takes a store its own time, and it has its own patience.
    watch.stop();
  } finally {
    for (const stream of media) stream.destroy();
  }
}
