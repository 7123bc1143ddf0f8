import { readInitSegment, type Track } from './init-segment.js';
import { type MediaSegment, readMediaSegment } from './media-segment.js';
import { type MediaPlaylist, readMediaPlaylist } from './playlist.js';

/** A segment as it was fetched; its bytes are read and let go. */
export interface FetchedSegment extends MediaSegment {
  url: string;
  size: number;
  /** EXTINF, seconds. */
  said: number;
}

/** All that a player can learn of one rendition, read over HTTP. */
export interface FetchedRendition {
  name: string;
  playlist: MediaPlaylist;
  track: Track;
  segments: FetchedSegment[];
}

export async function fetchBytes(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`GET ${url} answered ${response.status}`);
  return Buffer.from(await response.arrayBuffer());
}

export const fetchText = async (url: string): Promise<string> => (await fetchBytes(url)).toString();

/** Reads playlist, init segment and every segment; what cannot be had or read is an error that names it. */
export async function fetchRendition(name: string, url: string): Promise<FetchedRendition> {
  const playlist = readMediaPlaylist(await fetchText(url), url);
  const track = readInitSegment(await fetchBytes(playlist.map));
  const segments: FetchedSegment[] = [];
  for (const { url: place, duration } of playlist.segments) {
    const bytes = await fetchBytes(place);
    try {
      segments.push({ url: place, size: bytes.length, said: duration, ...readMediaSegment(bytes, track) });
    } catch (error) {
      throw new Error(`${place}: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
  return { name, playlist, track, segments };
}

/** Presentation in seconds, the edit list applied. */
export function startOf(rendition: FetchedRendition, segment: MediaSegment): number {
  const first = segment.samples.reduce((least, sample) => Math.min(least, sample.present), Infinity);
  return (first - rendition.track.editStart) / rendition.track.timescale;
}

export function endOf(rendition: FetchedRendition, segment: MediaSegment): number {
  const last = segment.samples.reduce(
    (most, sample) => Math.max(most, sample.present + sample.duration),
    -Infinity,
  );
  return (last - rendition.track.editStart) / rendition.track.timescale;
}
