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

/** The first of each is the source's default track; there are no more than these. */
export const AUDIO_RENDITIONS = [
  ...(['audio', 'audio-2', 'audio-3', 'audio-4'] as const),
  ...(['audio-5', 'audio-6', 'audio-7', 'audio-8'] as const),
] as const;
export type AudioName = (typeof AUDIO_RENDITIONS)[number];
export const SUBTITLE_RENDITIONS = [
  ...(['subtitles', 'subtitles-2', 'subtitles-3', 'subtitles-4'] as const),
  ...(['subtitles-5', 'subtitles-6', 'subtitles-7', 'subtitles-8'] as const),
] as const;
export type SubtitleName = (typeof SUBTITLE_RENDITIONS)[number];

export const RENDITION_KINDS = ['video', 'audio', 'subtitles'] as const;
export type RenditionKind = (typeof RENDITION_KINDS)[number];
/** A rendition is a video rung, an audio or a subtitle track; this is its name in URLs and rows. */
export type RenditionName = Quality | AudioName | SubtitleName;
export const RENDITION_NAMES: readonly RenditionName[] = [
  ...QUALITIES,
  ...AUDIO_RENDITIONS,
  ...SUBTITLE_RENDITIONS,
];

export function kindOfRendition(name: RenditionName): RenditionKind {
  const isIn = (names: readonly RenditionName[]) => names.includes(name);
  return isIn(AUDIO_RENDITIONS) ? 'audio' : isIn(SUBTITLE_RENDITIONS) ? 'subtitles' : 'video';
}

/** What a track is for: values of urn:mpeg:dash:role:2011, which HLS has attributes for. */
export const TRACK_ROLES = [
  ...(['main', 'alternate', 'commentary', 'dub', 'description'] as const),
  ...(['subtitle', 'caption', 'forced-subtitle'] as const),
] as const;
export type TrackRole = (typeof TRACK_ROLES)[number];

export const INIT_SEGMENT_NAME = 'init.mp4';
export const VOD_MULTIVARIANT = 'master.m3u8';
export const VOD_MEDIA_PLAYLIST = 'index.m3u8';
export const DASH_MANIFEST = 'manifest.mpd';
/** Early playlists exist only as answers of the gateway, made from rows; they are never stored. */
export const EARLY_MULTIVARIANT = 'early.m3u8';
export const EARLY_MEDIA_PLAYLIST = 'early.m3u8';

/** The segments that a playlist names. Every rendition has CMAF; where it was asked for, MPEG-TS too (S0-11). */
export type SegmentFormat = 'cmaf' | 'ts';
/** Names of the playlists over each format; the first of a pair belongs to the asset, the second to a rendition. */
export const PLAYLISTS: Record<SegmentFormat, { early: [string, string]; finished: [string, string] }> = {
  cmaf: {
    early: [EARLY_MULTIVARIANT, EARLY_MEDIA_PLAYLIST],
    finished: [VOD_MULTIVARIANT, VOD_MEDIA_PLAYLIST],
  },
  ts: { early: ['early-ts.m3u8', 'early-ts.m3u8'], finished: ['master-ts.m3u8', 'ts.m3u8'] },
};

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
export const segmentFileName = (index: number, sha256: string, kind: RenditionKind = 'video') =>
  `seg_${String(index).padStart(4, '0')}-${sha256.slice(0, 8)}.${kind === 'subtitles' ? 'vtt' : 'm4s'}`;
/** The same segment as MPEG-TS; text keeps its ending, and says another place on the clock. */
export const tsFileName = (index: number, sha256: string, kind: RenditionKind) =>
  segmentFileName(index, sha256, kind).replace(/\.m4s$/, '.ts');
export const posterFileName = (sha256: string) => `poster-${sha256.slice(0, 8)}.jpg`;
export const storyboardFileName = (sha256: string, extension: 'jpg' | 'vtt') =>
  `storyboard-${sha256.slice(0, 8)}.${extension}`;
/** In its rendition's folder; the digest is that of the `moov` and of the names of what it is made of. */
export const downloadFileName = (sha256: string) => `download-${sha256.slice(0, 8)}.mp4`;
export const initFileName = (sha256: string) => `init-${sha256.slice(0, 8)}.mp4`;
