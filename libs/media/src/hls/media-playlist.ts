import type { SegmentFormat } from '#contracts';
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
  /** The init segment; null for text and MPEG-TS, which have none. */
  mapUri: string | null;
  /** Default: CMAF. */
  format?: SegmentFormat;
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

/**
 * RFC 8216, 7. Fragmented MP4 needs 7 (EXT-X-MAP outside of I-frame playlists 6); where MPEG-TS is asked for,
 * old players are to read it: 4 has all that these say, decimal durations since 3 and EXT-X-MEDIA.
 */
export const VERSIONS: Record<SegmentFormat, number> = { cmaf: 7, ts: 4 };

/** Everything before the first segment. */
export function playlistHead({ targetDuration, type, mapUri, format = 'cmaf' }: PlaylistHead): string {
  return [
    '#EXTM3U',
    `#EXT-X-VERSION:${VERSIONS[format]}`,
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
