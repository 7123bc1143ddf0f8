/** Names that all services and every player agree on. */

/** S0-04: qualities are an enumeration, never matched with an expression built from input. */
export const QUALITIES = ['1080p', '720p', '480p', '360p', '240p'] as const;
export type Quality = (typeof QUALITIES)[number];

/** Rung → the length in pixels of the picture's short side that it may have at most. */
export const QUALITY_SHORT_SIDE: Record<Quality, number> = {
  '1080p': 1080,
  '720p': 720,
  '480p': 480,
  '360p': 360,
  '240p': 240,
};

/** A rendition is a video rung or an audio track; this is its name in URLs and rows. */
export const AUDIO_RENDITION = 'audio';
export type RenditionName = Quality | typeof AUDIO_RENDITION;
export const RENDITION_NAMES: readonly RenditionName[] = [...QUALITIES, AUDIO_RENDITION];

export const INIT_SEGMENT_NAME = 'init.mp4';
export const VOD_MULTIVARIANT = 'master.m3u8';
export const VOD_MEDIA_PLAYLIST = 'index.m3u8';
export const DASH_MANIFEST = 'manifest.mpd';
/** Early playlists exist only as answers of the gateway, made from rows; they are never stored. */
export const EARLY_MULTIVARIANT = 'early.m3u8';
export const EARLY_MEDIA_PLAYLIST = 'early.m3u8';

/** Of the cheap question about a known file: so much of its beginning and of its end are hashed. */
export const EDGE_BYTES = 1024 * 1024;

/** Object keys. Chunks: one object per attempt, adopted by its row. Media: below its asset. */
export const chunkKey = (sessionId: string, offset: number, attempt: string) =>
  `chunks/${sessionId}/${offset}-${attempt}`;
export const chunkPrefix = (sessionId: string) => `chunks/${sessionId}/`;
export const mediaPrefix = (assetId: string) => `media/${assetId}/`;
export const renditionPrefix = (assetId: string, rendition: string) => `media/${assetId}/${rendition}/`;

/**
 * Stored segment names carry 8 hex digits of their SHA-256: an object is immutable under its name,
 * a late writer can never replace what a row refers to, and caches may keep it for ever.
 * `seg_0003-1a2b3c4d.m4s`; the index has at least four digits (S0-08).
 */
export const segmentFileName = (index: number, sha256: string) =>
  `seg_${String(index).padStart(4, '0')}-${sha256.slice(0, 8)}.m4s`;
export const posterFileName = (sha256: string) => `poster-${sha256.slice(0, 8)}.jpg`;
export const storyboardFileName = (sha256: string, extension: 'jpg' | 'vtt') =>
  `storyboard-${sha256.slice(0, 8)}.${extension}`;
export const initFileName = (sha256: string) => `init-${sha256.slice(0, 8)}.mp4`;
