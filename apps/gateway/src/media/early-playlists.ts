import { Inject, Injectable } from '@nestjs/common';
import { type RenditionName, type SegmentFormat, SluiceError } from '#contracts';
import { earlyMultivariant, tsMaxBitrate } from '#media';
import { BoundedCache, SharedReads } from './bounded-cache.js';
import { type EarlyRendition, EarlyRows } from './early-rows.js';
import { GrowingPlaylist } from './growing-playlist.js';

/** Milliseconds in which an asset's renditions, and a rendition's frontier, are read at most once. */
const READ_EVERY_MS = 1000;
const ASSETS_AT_MOST = 500;
/** A playlist of two hours is about 100 kB of text. */
const PLAYLISTS_AT_MOST = 500;

/** Playlists of a job that still runs, made from rows, cached by rendition and frontier. They never name what is not stored. */
@Injectable()
export class EarlyPlaylists {
  private readonly assets = new SharedReads<EarlyRendition[]>(ASSETS_AT_MOST, READ_EVERY_MS);
  private readonly polls = new SharedReads<string | null>(PLAYLISTS_AT_MOST, READ_EVERY_MS);
  private readonly growing = new BoundedCache<GrowingPlaylist>(PLAYLISTS_AT_MOST);

  constructor(@Inject(EarlyRows) private readonly rows: EarlyRows) {}

  /** The start set, once each of its members can be played; from then on always the same text. */
  async multivariant(assetId: string, format: SegmentFormat): Promise<string> {
    const start = (await this.renditions(assetId)).filter((rendition) => rendition.inStartSet);
    const playable = start.every(({ initKey, started }) => initKey !== null && started);
    if (!playable || !start.some(({ kind }) => kind === 'video')) throw notYet();
    if (format === 'cmaf') return earlyMultivariant(start);
    if (!start.every(({ ts }) => ts)) throw notYet();
    return earlyMultivariant(start.map(asTs), format);
  }

  /** The stored segments from the first one to the first gap. */
  async media(assetId: string, name: RenditionName, format: SegmentFormat): Promise<string> {
    const rendition = (await this.renditions(assetId)).find((one) => one.name === name);
    if (!rendition || (format === 'ts' && !rendition.ts)) throw notYet();
    const text = await this.polls.read(`${rendition.id}/${format}`, () => this.grow(rendition, format));
    if (text === null) throw notYet();
    return text;
  }

  /** The asset can be played, and its rows say nothing of how it was made any more. */
  isReplaced(assetId: string): Promise<boolean> {
    return this.rows.isReplaced(assetId);
  }

  private renditions(assetId: string): Promise<EarlyRendition[]> {
    return this.assets.read(assetId, () => this.rows.renditions(assetId));
  }

  private async grow(rendition: EarlyRendition, format: SegmentFormat): Promise<string | null> {
    const key = `${rendition.id}/${format}`;
    const playlist = this.growing.get(key) ?? new GrowingPlaylist(rendition.timescale, format);
    this.growing.set(key, playlist);
    for await (const segment of this.rows.contiguous(rendition.id, playlist.frontier)) playlist.add(segment);
    return playlist.text(rendition);
  }
}

const asTs = ({ maxBitrate, ...rendition }: EarlyRendition) => ({
  ...rendition,
  maxBitrate: tsMaxBitrate(
    maxBitrate,
    rendition.fpsNum && rendition.fpsDen ? rendition.fpsNum / rendition.fpsDen : null,
  ),
});

const notYet = () =>
  new SluiceError(
    'not_playable_yet',
    'There is nothing to play here yet; ask again in a second or follow the job.',
  );
