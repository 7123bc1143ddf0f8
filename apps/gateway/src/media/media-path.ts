import {
  DASH_MANIFEST,
  kindOfRendition,
  mediaPrefix,
  PLAYLISTS,
  RENDITION_NAMES,
  type RenditionName,
  renditionPrefix,
  type SegmentFormat,
} from '#contracts';

export type MediaTarget =
  | { kind: 'early-multivariant'; assetId: string; format: SegmentFormat }
  | { kind: 'early-media'; assetId: string; rendition: RenditionName; format: SegmentFormat }
  | MediaObject;

export interface MediaObject {
  kind: 'object';
  key: string;
  type: string;
  /** The name carries the digest, so the name is the version. */
  immutable: boolean;
  version: string | null;
  /** May be saved under a name that the address asks for. */
  isDownload?: true;
}

export const HLS_TYPE = 'application/vnd.apple.mpegurl';
const TEXT_TYPE = 'text/vtt; charset=utf-8';
const DASH_TYPE = 'application/dash+xml';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const FORMATS: readonly SegmentFormat[] = ['cmaf', 'ts'];
/** segmentFileName, tsFileName, initFileName and downloadFileName of the contracts. */
const SEGMENT_NAME = /^seg_\d{4,6}-[0-9a-f]{8}\.m4s$/;
const TS_NAME = /^seg_\d{4,6}-[0-9a-f]{8}\.ts$/;
const TEXT_NAME = /^seg_\d{4,6}-[0-9a-f]{8}\.vtt$/;
const DOWNLOAD_NAME = /^download-[0-9a-f]{8}\.mp4$/;
const INIT_NAME = /^init-[0-9a-f]{8}\.mp4$/;
/** posterFileName and storyboardFileName. */
const PICTURE_NAME = /^(poster|storyboard)-[0-9a-f]{8}\.jpg$/;
const STORYBOARD_NAME = /^storyboard-[0-9a-f]{8}\.vtt$/;

/**
 * What an address below `/media/` means; null for everything that is not exactly one of our names
 * (S0-04). `rest` is decoded once already: what is still encoded in it matches nothing.
 */
export function parseMediaPath(assetId: string, rest: string): MediaTarget | null {
  if (!UUID.test(assetId)) return null;
  const [first = '', second, ...more] = rest.split('/');
  if (more.length > 0) return null;
  if (second === undefined) return ofAsset(assetId, first);
  const rendition = RENDITION_NAMES.find((name) => name === first);
  return rendition === undefined ? null : ofRendition(assetId, rendition, second);
}

function ofAsset(assetId: string, name: string): MediaTarget | null {
  const key = mediaPrefix(assetId) + name;
  for (const format of FORMATS) {
    const { early, finished } = PLAYLISTS[format];
    if (name === early[0]) return { kind: 'early-multivariant', assetId, format };
    if (name === finished[0]) return playlist(key, HLS_TYPE);
  }
  if (name === DASH_MANIFEST) return playlist(key, DASH_TYPE);
  if (PICTURE_NAME.test(name)) return immutable(key, name, 'image/jpeg');
  if (STORYBOARD_NAME.test(name)) return immutable(key, name, 'text/vtt; charset=utf-8');
  return null;
}

function ofRendition(assetId: string, rendition: RenditionName, name: string): MediaTarget | null {
  const key = renditionPrefix(assetId, rendition) + name;
  for (const format of FORMATS) {
    const { early, finished } = PLAYLISTS[format];
    if (name === early[1]) return { kind: 'early-media', assetId, rendition, format };
    if (name === finished[1]) return playlist(key, HLS_TYPE);
  }
  const kind = kindOfRendition(rendition);
  if (kind === 'subtitles') return TEXT_NAME.test(name) ? immutable(key, name, TEXT_TYPE) : null;
  if (SEGMENT_NAME.test(name)) return immutable(key, name, 'video/iso.segment');
  if (TS_NAME.test(name)) return immutable(key, name, 'video/mp2t');
  if (INIT_NAME.test(name)) return immutable(key, name, `${kind}/mp4`);
  if (kind === 'video' && DOWNLOAD_NAME.test(name))
    return { ...immutable(key, name, 'video/mp4'), isDownload: true };
  return null;
}

const playlist = (key: string, type: string): MediaObject => ({
  kind: 'object',
  key,
  type,
  immutable: false,
  version: null,
});

const immutable = (key: string, name: string, type: string): MediaObject => ({
  kind: 'object',
  key,
  type,
  immutable: true,
  version: name,
});
