import { PLAYLISTS, type RenditionKind, type SegmentFormat, type TrackRole } from '#contracts';
import { VERSIONS } from './media-playlist.js';
import { quoted, uri } from './text.js';
import { trackNames } from './track-names.js';

/** What a multivariant playlist says of a rendition; a row of `renditions` with a stored init segment fits. */
export interface MultivariantMember {
  /** Folder of its media playlist. */
  name: string;
  kind: RenditionKind;
  width: number | null;
  height: number | null;
  fpsNum: number | null;
  fpsDen: number | null;
  /** RFC 6381. */
  codecs: string | null;
  /** BCP 47. */
  language: string | null;
  /** What the source calls the track. */
  title: string | null;
  role: TrackRole | null;
  isDefault: boolean;
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
export function earlyMultivariant(members: readonly EarlyMember[], format: SegmentFormat = 'cmaf'): string {
  const rated = members.map((member) => ({ ...member, peak: member.maxBitrate, average: null }));
  return multivariant(rated, format, 'early', ['#EXT-X-START:TIME-OFFSET=0']);
}

/** For the finished job, over all renditions, in the order given. */
export function vodMultivariant(renditions: readonly VodRendition[], format: SegmentFormat = 'cmaf'): string {
  const rated = renditions.map((one) => ({ ...one, peak: one.peakBitrate, average: one.averageBitrate }));
  return multivariant(rated, format, 'finished', []);
}

/** Names of the groups; a group has every track of its kind. */
const AUDIO_GROUP = 'audio';
const SUBTITLE_GROUP = 'subtitles';

function multivariant(
  members: readonly Rated[],
  format: SegmentFormat,
  edition: 'early' | 'finished',
  extra: readonly string[],
): string {
  const [, playlist] = PLAYLISTS[format][edition];
  const of = (kind: RenditionKind) => members.filter((member) => member.kind === kind);
  const [video, audio, subtitles] = [of('video'), of('audio'), of('subtitles')];
  if (video.length === 0) throw new RangeError('a multivariant playlist needs a video rendition');
  const lines = ['#EXTM3U', `#EXT-X-VERSION:${VERSIONS[format]}`, '#EXT-X-INDEPENDENT-SEGMENTS', ...extra];
  for (const tracks of [audio, subtitles]) {
    const names = trackNames(tracks);
    tracks.forEach((track, i) => {
      // A playlist without a default one, as of jobs before tracks had any, plays the first sound.
      const isDefault =
        track.isDefault || (track.kind === 'audio' && i === 0 && !tracks.some((t) => t.isDefault));
      const list = { ...track, isDefault, name: names[i] ?? track.name };
      lines.push(`#EXT-X-MEDIA:${mediaAttributes(list, `${track.name}/${playlist}`)}`);
    });
  }
  for (const variant of video) {
    const stream = variantAttributes(variant, audio, subtitles.length > 0);
    lines.push(`#EXT-X-STREAM-INF:${stream}`, uri(`${variant.name}/${playlist}`));
  }
  return `${lines.join('\n')}\n`;
}

/** RFC 8216, 4.3.4.1; characteristics as Apple's players know them. */
const CHARACTERISTICS: Partial<Record<TrackRole, string>> = {
  description: 'public.accessibility.describes-video',
  caption: 'public.accessibility.transcribes-spoken-dialog,public.accessibility.describes-music-and-sound',
};

function mediaAttributes(track: Rated, location: string): string {
  const { kind, name, language, isDefault, role, channels } = track;
  const isText = kind === 'subtitles';
  const characteristics = role && CHARACTERISTICS[role];
  return attributes({
    TYPE: isText ? 'SUBTITLES' : 'AUDIO',
    'GROUP-ID': quoted(isText ? SUBTITLE_GROUP : AUDIO_GROUP),
    NAME: quoted(name),
    LANGUAGE: language === null || language === '' ? null : quoted(language),
    DEFAULT: isDefault ? 'YES' : 'NO',
    // A commentary is never what somebody hears who asked for nothing but a language.
    AUTOSELECT: isDefault || role !== 'commentary' ? 'YES' : 'NO',
    FORCED: role === 'forced-subtitle' ? 'YES' : null,
    CHARACTERISTICS: characteristics ? quoted(characteristics) : null,
    CHANNELS: channels === null ? null : quoted(String(channels)),
    URI: quoted(uri(location)),
  });
}

/** RFC 8216, 4.3.4.2: rates are those of the variant with the largest member of each group. */
function variantAttributes(variant: Rated, audio: readonly Rated[], hasSubtitles: boolean): string {
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
    AUDIO: audio.length === 0 ? null : quoted(AUDIO_GROUP),
    SUBTITLES: hasSubtitles ? quoted(SUBTITLE_GROUP) : null,
  });
}

const attributes = (list: Record<string, string | null>): string =>
  Object.entries(list)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => `${name}=${value}`)
    .join(',');
