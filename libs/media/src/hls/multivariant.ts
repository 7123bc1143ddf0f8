import { AUDIO_RENDITION, EARLY_MEDIA_PLAYLIST, VOD_MEDIA_PLAYLIST } from '#contracts';
import { quoted, uri } from './text.js';

/** What a multivariant playlist says of a rendition; a row of `renditions` with a stored init segment fits. */
export interface MultivariantMember {
  /** Folder of its media playlist. */
  name: string;
  kind: 'video' | 'audio';
  width: number | null;
  height: number | null;
  fpsNum: number | null;
  fpsDen: number | null;
  /** RFC 6381. */
  codecs: string | null;
  /** BCP 47, audio only. */
  language: string | null;
  channels: number | null;
}

export interface EarlyMember extends MultivariantMember {
  /** Bits per second that no segment exceeds. */
  maxBitrate: number;
}

export interface VodRendition extends MultivariantMember {
  /** Bits per second, measured: see BitRateMeter. */
  peakBitrate: number;
  averageBitrate: number;
}

interface Rated extends MultivariantMember {
  peak: number;
  average: number | null;
}

/**
 * For the members of the start set, while the job runs; it never changes. EXT-X-START, because a
 * player would otherwise begin at the live edge of an EVENT playlist.
 */
export function earlyMultivariant(members: readonly EarlyMember[]): string {
  const rated = members.map((member) => ({ ...member, peak: member.maxBitrate, average: null }));
  return multivariant(rated, EARLY_MEDIA_PLAYLIST, ['#EXT-X-START:TIME-OFFSET=0']);
}

/** For the finished job, over all renditions, in the order given. */
export function vodMultivariant(renditions: readonly VodRendition[]): string {
  const rated = renditions.map((one) => ({ ...one, peak: one.peakBitrate, average: one.averageBitrate }));
  return multivariant(rated, VOD_MEDIA_PLAYLIST, []);
}

function multivariant(members: readonly Rated[], playlist: string, extra: readonly string[]): string {
  const audio = members.filter((member) => member.kind === 'audio');
  const video = members.filter((member) => member.kind === 'video');
  if (video.length === 0) throw new RangeError('a multivariant playlist needs a video rendition');
  const lines = ['#EXTM3U', '#EXT-X-VERSION:7', '#EXT-X-INDEPENDENT-SEGMENTS', ...extra];
  audio.forEach((track, index) => {
    lines.push(`#EXT-X-MEDIA:${audioAttributes(track, index === 0, `${track.name}/${playlist}`)}`);
  });
  for (const variant of video) {
    lines.push(`#EXT-X-STREAM-INF:${variantAttributes(variant, audio)}`, uri(`${variant.name}/${playlist}`));
  }
  return `${lines.join('\n')}\n`;
}

function audioAttributes(track: Rated, first: boolean, location: string): string {
  return attributes({
    TYPE: 'AUDIO',
    'GROUP-ID': quoted(AUDIO_RENDITION),
    NAME: quoted(track.name),
    LANGUAGE: track.language === null || track.language === '' ? null : quoted(track.language),
    DEFAULT: first ? 'YES' : 'NO',
    AUTOSELECT: 'YES',
    CHANNELS: track.channels === null ? null : quoted(String(track.channels)),
    URI: quoted(uri(location)),
  });
}

/** RFC 8216, 4.3.4.2: rates are those of the variant with the largest member of each group. */
function variantAttributes(variant: Rated, audio: readonly Rated[]): string {
  const most = (rate: (track: Rated) => number) => Math.max(0, ...audio.map(rate));
  const { width, height, fpsNum, fpsDen, average } = variant;
  const codecs = new Set(
    [variant, ...audio].map((member) => member.codecs ?? '').filter((one) => one !== ''),
  );
  return attributes({
    BANDWIDTH: String(Math.ceil(variant.peak + most((track) => track.peak))),
    'AVERAGE-BANDWIDTH':
      average === null ? null : String(Math.ceil(average + most((track) => track.average ?? 0))),
    CODECS: codecs.size === 0 ? null : quoted([...codecs].join(',')),
    RESOLUTION: width && height ? `${width}x${height}` : null,
    'FRAME-RATE': fpsNum && fpsDen ? (fpsNum / fpsDen).toFixed(3) : null,
    AUDIO: audio.length === 0 ? null : quoted(AUDIO_RENDITION),
  });
}

const attributes = (list: Record<string, string | null>): string =>
  Object.entries(list)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
