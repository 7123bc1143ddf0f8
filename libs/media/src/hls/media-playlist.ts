import { quoted, uri } from './text.js';

export interface PlaylistSegment {
  uri: string;
  /** In ticks of the playlist's timescale. */
  durationTicks: number;
}

export interface PlaylistHead {
  /** Whole seconds. Raised when a segment is longer: see {@link targetDurationFor}. */
  targetDuration: number;
  /** EVENT: segments are only ever added at the end. */
  type: 'EVENT' | 'VOD';
  /** The init segment; null for text, which has none. */
  mapUri: string | null;
}

export interface MediaPlaylist extends PlaylistHead {
  /** From the first segment on, in order and without a gap. */
  segments: readonly PlaylistSegment[];
  /** Ticks per second. */
  timescale: number;
  /** No segment will follow. */
  ended: boolean;
}

export const PLAYLIST_END = '#EXT-X-ENDLIST\n';

/** RFC 8216, 4.3.3.1: no EXTINF, rounded to the nearest integer, may be above it. Whole seconds, at least 1. */
export const targetDurationFor = (planned: number, longestTicks: number, timescale: number): number =>
  Math.max(1, Math.ceil(planned), Math.round(longestTicks / timescale));

/** Everything before the first segment. Version 7: EXT-X-MAP outside of I-frame playlists, fragmented MP4. */
export function playlistHead({ targetDuration, type, mapUri }: PlaylistHead): string {
  return [
    '#EXTM3U',
    '#EXT-X-VERSION:7',
    `#EXT-X-TARGETDURATION:${targetDuration}`,
    '#EXT-X-MEDIA-SEQUENCE:0',
    `#EXT-X-PLAYLIST-TYPE:${type}`,
    '#EXT-X-INDEPENDENT-SEGMENTS',
    ...(mapUri === null ? [] : [`#EXT-X-MAP:URI=${quoted(uri(mapUri))}`]),
    '',
  ].join('\n');
}

/**
 * Lines of one segment after the other. Each EXTINF is the difference of two rounded points in time,
 * so that their running sum is never further than half a microsecond from the exact ticks, and a
 * segment's line is the same in every edition of its playlist.
 */
export function segmentLines(timescale: number): (segment: PlaylistSegment) => string {
  const scale = BigInt(timescale);
  const microseconds = (ticks: bigint) => (ticks * 2_000_000n + scale) / (2n * scale);
  let end = 0n;
  return (segment) => {
    const from = microseconds(end);
    end += BigInt(segment.durationTicks);
    const duration = microseconds(end) - from;
    const fraction = String(duration % 1_000_000n).padStart(6, '0');
    return `#EXTINF:${duration / 1_000_000n}.${fraction},\n${uri(segment.uri)}\n`;
  };
}

/** A whole media playlist. For lists too long for memory: {@link playlistHead}, {@link segmentLines}, {@link PLAYLIST_END}. */
export function mediaPlaylist(playlist: MediaPlaylist): string {
  const { segments, timescale } = playlist;
  const longest = segments.reduce((ticks, segment) => Math.max(ticks, segment.durationTicks), 0);
  const targetDuration = targetDurationFor(playlist.targetDuration, longest, timescale);
  const head = playlistHead({ ...playlist, targetDuration });
  return head + segments.map(segmentLines(timescale)).join('') + (playlist.ended ? PLAYLIST_END : '');
}
