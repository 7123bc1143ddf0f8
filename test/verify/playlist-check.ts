import type { MultivariantPlaylist, Variant } from './playlist.js';
import type { FetchedRendition } from './rendition.js';

const ticksOf = (segment: FetchedRendition['segments'][number]) =>
  segment.samples.reduce((sum, sample) => sum + sample.duration, 0);

/** What a media playlist says is what its segments hold. */
export function checkMediaPlaylist({ name, playlist, track, segments }: FetchedRendition): string[] {
  const problems: string[] = [];
  if (segments.length === 0) return [`${name}: the playlist is empty`];
  if (playlist.type !== 'VOD')
    problems.push(`${name}: EXT-X-PLAYLIST-TYPE is ${playlist.type}, VOD expected`);
  if (!playlist.ended) problems.push(`${name}: EXT-X-ENDLIST is missing`);
  let said = 0;
  let held = 0;
  for (const [index, segment] of segments.entries()) {
    said += segment.said;
    held += ticksOf(segment) / track.timescale;
    if (Math.round(segment.said) > playlist.targetDuration) {
      problems.push(
        `${name}, segment ${index}: EXTINF ${segment.said} is over TARGETDURATION ${playlist.targetDuration}`,
      );
    }
    if (Math.abs(said - held) > 0.001) {
      problems.push(
        `${name}: up to segment ${index} EXTINF adds up to ${said.toFixed(6)} s, the samples to ${held.toFixed(6)} s`,
      );
      said = held;
    }
  }
  return problems;
}

/**
 * RFC 8216, 4.1: the highest bit rate of segments in a row that together last 0.5 to 1.5 target
 * durations; of all segments where there is no such row.
 */
export function peakOf({ playlist, segments, track }: FetchedRendition): number {
  const target = playlist.targetDuration * track.timescale;
  const rate = (bits: number, ticks: number) => (bits * track.timescale) / ticks;
  const all = { bits: 0, ticks: 0 };
  let peak = 0;
  for (const [first, own] of segments.entries()) {
    const row = { bits: 0, ticks: 0 };
    for (const segment of segments.slice(first)) {
      row.bits += segment.size * 8;
      row.ticks += ticksOf(segment);
      if (row.ticks > 1.5 * target) break;
      if (row.ticks >= 0.5 * target) peak = Math.max(peak, rate(row.bits, row.ticks));
    }
    all.bits += own.size * 8;
    all.ticks += ticksOf(own);
  }
  return Math.max(peak, rate(all.bits, all.ticks));
}

/** What the multivariant playlist says of a rendition is what its boxes say. */
export function checkVariant(
  variant: Variant,
  video: FetchedRendition,
  audio: FetchedRendition | undefined,
): string[] {
  const problems: string[] = [];
  const expected = [video.track.codecs, ...(audio ? [audio.track.codecs] : [])];
  if (expected.join() !== variant.codecs.join()) {
    problems.push(`${video.name}: CODECS says ${variant.codecs}, the init segments say ${expected}`);
  }
  if (variant.width !== video.track.width || variant.height !== video.track.height) {
    problems.push(
      `${video.name}: RESOLUTION says ${variant.width}x${variant.height}, the init segment ${video.track.width}x${video.track.height}`,
    );
  }
  const peak = peakOf(video) + (audio ? peakOf(audio) : 0);
  // BANDWIDTH is a whole number; two renditions may have been rounded.
  if (variant.bandwidth < peak - 2) {
    problems.push(`${video.name}: BANDWIDTH ${variant.bandwidth} is below the peak of ${Math.ceil(peak)}`);
  }
  if (variant.averageBandwidth > variant.bandwidth) {
    problems.push(`${video.name}: AVERAGE-BANDWIDTH is above BANDWIDTH`);
  }
  const frames = video.segments.reduce((sum, segment) => sum + segment.samples.length, 0);
  const seconds = video.segments.reduce((sum, segment) => sum + ticksOf(segment), 0) / video.track.timescale;
  if (Math.abs(frames / seconds - variant.frameRate) > 0.02 * variant.frameRate) {
    problems.push(
      `${video.name}: FRAME-RATE ${variant.frameRate}, the samples give ${(frames / seconds).toFixed(3)}`,
    );
  }
  return problems;
}

/** RFC 8216, 4.3.4.2: what must not be twice, what must refer to something. */
export function checkMultivariant(multivariant: MultivariantPlaylist): string[] {
  const problems: string[] = [];
  for (const tracks of [multivariant.audio, multivariant.subtitles]) {
    if (new Set(tracks.map((track) => track.name)).size !== tracks.length)
      problems.push('two tracks of a group have the same name');
  }
  const urls = multivariant.variants.map((variant) => variant.url);
  if (new Set(urls).size !== urls.length) problems.push('the multivariant playlist lists a rendition twice');
  for (const variant of multivariant.variants) {
    if (variant.audioGroup && !multivariant.audio.some((track) => track.group === variant.audioGroup)) {
      problems.push(`${variant.url} refers to the audio group ${variant.audioGroup}, which does not exist`);
    }
    if (multivariant.subtitles.some((track) => track.group !== variant.subtitleGroup)) {
      problems.push(`${variant.url} does not refer to the subtitles`);
    }
  }
  return problems;
}
