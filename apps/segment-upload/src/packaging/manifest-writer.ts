import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { DASH_MANIFEST, mediaPrefix, PLAYLISTS, renditionPrefix, type SegmentFormat } from '#contracts';
import {
  BitRateMeter,
  PLAYLIST_END,
  playlistHead,
  segmentLines,
  staticMpd,
  targetDurationFor,
  vodMultivariant,
} from '#media';
import type { ObjectStore } from '#storage';
import { STORE } from '../tokens.js';
import { PackageRows, type StoredRendition, type StoredSegment } from './package-rows.js';

export interface PackagedRendition extends StoredRendition {
  /** Bits per second, measured. */
  peakBitrate: number;
  averageBitrate: number;
}

/** Bytes of one write. */
const BLOCK = 64 * 1024;

/** Writes the finished playlists and the MPD as streams: however many segments there are, they are read page by page. */
@Injectable()
export class ManifestWriter {
  constructor(
    @Inject(PackageRows) private readonly rows: PackageRows,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  /** The rendition's VOD playlist; its rates are measured on the way. */
  async writeMediaPlaylist(
    assetId: string,
    rendition: StoredRendition,
    format: SegmentFormat,
    signal: AbortSignal,
  ): Promise<PackagedRendition> {
    const { timescale } = rendition;
    const targetDuration = targetDurationFor(rendition.targetDuration, rendition.longestTicks, timescale);
    const meter = new BitRateMeter(timescale, targetDuration);
    const { rows } = this;
    async function* text() {
      const line = segmentLines(timescale);
      yield playlistHead({
        targetDuration,
        type: 'VOD',
        mapUri: rendition.initKey === null || format === 'ts' ? null : baseName(rendition.initKey),
        format,
      });
      for await (const { durationTicks, ...segment } of rows.segments(rendition.id)) {
        const { key, size } = objectOf(segment, format);
        meter.add(durationTicks, size);
        yield line({ uri: baseName(key), durationTicks });
      }
      yield PLAYLIST_END;
    }
    await this.put(playlistKey(assetId, rendition, format), text(), signal);
    return { ...rendition, peakBitrate: meter.peak, averageBitrate: meter.average };
  }

  /** The multivariant playlist, when everything that it names is there. */
  async writeMultivariant(
    assetId: string,
    renditions: readonly PackagedRendition[],
    format: SegmentFormat,
    signal: AbortSignal,
  ): Promise<void> {
    const [name] = PLAYLISTS[format].finished;
    await this.put(mediaPrefix(assetId) + name, [vodMultivariant(renditions, format)], signal);
  }

  /** The MPD, likewise. */
  async writeMpd(
    assetId: string,
    renditions: readonly PackagedRendition[],
    duration: number,
    signal: AbortSignal,
  ): Promise<void> {
    const mpd = staticMpd({
      duration,
      minBufferTime: Math.max(
        ...renditions.filter(({ kind }) => kind === 'video').map(({ targetDuration }) => targetDuration),
      ),
      renditions: renditions.map((rendition) => ({
        ...rendition,
        initUri: baseName(rendition.initKey ?? ''),
        segments: () => this.dashSegments(rendition.id),
      })),
    });
    await this.put(mediaPrefix(assetId) + DASH_MANIFEST, mpd, signal);
  }

  private async *dashSegments(renditionId: string) {
    for await (const { key, startTicks, durationTicks } of this.rows.segments(renditionId)) {
      yield { uri: baseName(key), startTicks, durationTicks };
    }
  }

  private async put(
    key: string,
    text: Iterable<string> | AsyncIterable<string>,
    signal: AbortSignal,
  ): Promise<void> {
    await this.store.put(key, Readable.from(inBlocks(text), { objectMode: false }), { signal });
  }
}

/** Keys that {@link ManifestWriter} writes for these renditions. */
export const manifestKeys = (
  assetId: string,
  renditions: readonly Pick<StoredRendition, 'name' | 'ts'>[],
): string[] => [
  mediaPrefix(assetId) + DASH_MANIFEST,
  ...FORMATS.flatMap((format) => {
    const members = renditions.filter(({ ts }) => format === 'cmaf' || ts);
    if (members.length === 0) return [];
    const [name] = PLAYLISTS[format].finished;
    return [mediaPrefix(assetId) + name, ...members.map((one) => playlistKey(assetId, one, format))];
  }),
];

const FORMATS: readonly SegmentFormat[] = ['cmaf', 'ts'];

const playlistKey = (assetId: string, { name }: { name: string }, format: SegmentFormat) =>
  renditionPrefix(assetId, name) + PLAYLISTS[format].finished[1];

/** Of a rendition with `ts` every row names both: see `assertComplete`. */
function objectOf(
  { key, size, tsKey, tsSize }: Pick<StoredSegment, 'key' | 'size' | 'tsKey' | 'tsSize'>,
  format: SegmentFormat,
): { key: string; size: number } {
  if (format === 'cmaf') return { key, size };
  if (tsKey === null || tsSize === null) throw new Error(`${key} has no MPEG-TS`);
  return { key: tsKey, size: tsSize };
}

async function* inBlocks(text: Iterable<string> | AsyncIterable<string>): AsyncGenerator<Buffer> {
  let block = '';
  for await (const part of text) {
    block += part;
    if (block.length < BLOCK) continue;
    yield Buffer.from(block);
    block = '';
  }
  if (block !== '') yield Buffer.from(block);
}

const baseName = (key: string): string => key.slice(key.lastIndexOf('/') + 1);
