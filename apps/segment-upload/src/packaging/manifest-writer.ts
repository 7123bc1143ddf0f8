import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import {
  DASH_MANIFEST,
  mediaPrefix,
  renditionPrefix,
  VOD_MEDIA_PLAYLIST,
  VOD_MULTIVARIANT,
} from '#contracts';
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
import { PackageRows, type StoredRendition } from './package-rows.js';

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
        mapUri: rendition.initKey === null ? null : baseName(rendition.initKey),
      });
      for await (const { key, durationTicks, size } of rows.segments(rendition.id)) {
        meter.add(durationTicks, size);
        yield line({ uri: baseName(key), durationTicks });
      }
      yield PLAYLIST_END;
    }
    await this.put(renditionPrefix(assetId, rendition.name) + VOD_MEDIA_PLAYLIST, text(), signal);
    return { ...rendition, peakBitrate: meter.peak, averageBitrate: meter.average };
  }

  /** The multivariant playlist and the MPD, when everything that they name is there. */
  async writeManifests(
    assetId: string,
    renditions: readonly PackagedRendition[],
    duration: number,
    signal: AbortSignal,
  ): Promise<void> {
    await this.put(mediaPrefix(assetId) + VOD_MULTIVARIANT, [vodMultivariant(renditions)], signal);
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
export const manifestKeys = (assetId: string, renditions: readonly { name: string }[]): string[] => [
  mediaPrefix(assetId) + VOD_MULTIVARIANT,
  mediaPrefix(assetId) + DASH_MANIFEST,
  ...renditions.map(({ name }) => renditionPrefix(assetId, name) + VOD_MEDIA_PLAYLIST),
];

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
