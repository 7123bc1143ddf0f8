import type { RenditionKind, TrackRole } from '#contracts';
import { attribute, element } from './xml.js';

export interface DashSegment {
  uri: string;
  /** In ticks of its rendition's timescale. */
  startTicks: number;
  durationTicks: number;
}

type Segments = Iterable<DashSegment> | AsyncIterable<DashSegment>;

export interface DashRendition {
  /** Folder of its segments. */
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
  title: string | null;
  role: TrackRole | null;
  channels: number | null;
  /** Bits per second: measured peak (BitRateMeter). */
  peakBitrate: number;
  /** Ticks per second. */
  timescale: number;
  initUri: string;
  /** From the first on; asked for twice, so that no list of segments need be held. */
  segments: () => Segments;
}

export interface StaticMpd {
  /** Seconds. */
  duration: number;
  /** Seconds that a client should have before it plays; a segment's length. */
  minBufferTime: number;
  renditions: readonly DashRendition[];
}

/**
 * A static MPD, in pieces to be written one after the other. Segment names carry a digest, so they
 * are listed: SegmentList with a SegmentTimeline (why: docs/adr/0005-dash-segment-list.md).
 */
export async function* staticMpd({ duration, minBufferTime, renditions }: StaticMpd): AsyncGenerator<string> {
  yield '<?xml version="1.0" encoding="UTF-8"?>\n';
  yield `${element('MPD', {
    xmlns: 'urn:mpeg:dash:schema:mpd:2011',
    profiles: 'urn:mpeg:dash:profile:isoff-main:2011',
    type: 'static',
    mediaPresentationDuration: `PT${seconds(duration)}S`,
    minBufferTime: `PT${seconds(minBufferTime)}S`,
  })}\n  <Period id="0" start="PT0S">\n`;
  const video = renditions.filter((rendition) => rendition.kind === 'video');
  if (video.length > 0) yield* adaptationSet(0, video);
  let id = 1;
  for (const kind of ['audio', 'subtitles']) {
    for (const track of renditions.filter((rendition) => rendition.kind === kind)) {
      yield* adaptationSet(id, [track]);
      id += 1;
    }
  }
  yield '  </Period>\n</MPD>\n';
}

/** One for all rungs: their borders are the same. One for each audio track. */
async function* adaptationSet(id: number, members: readonly DashRendition[]): AsyncGenerator<string> {
  const { kind, language, title, role } = members[0] as DashRendition;
  const isText = kind === 'subtitles';
  yield `    ${element('AdaptationSet', {
    id,
    contentType: isText ? 'text' : kind,
    mimeType: isText ? 'text/vtt' : `${kind}/mp4`,
    lang: kind !== 'video' && language !== '' ? language : null,
    segmentAlignment: isText ? null : 'true',
    startWithSAP: isText ? null : 1,
  })}\n`;
  if (title !== null) yield `      <Label>${attribute(title)}</Label>\n`;
  if (role !== null) {
    yield `      ${element('Role', { schemeIdUri: 'urn:mpeg:dash:role:2011', value: role }, true)}\n`;
  }
  for (const member of members) yield* representation(member);
  yield '    </AdaptationSet>\n';
}

async function* representation(rendition: DashRendition): AsyncGenerator<string> {
  const { name, kind, width, height, fpsNum, fpsDen, codecs, channels, peakBitrate, timescale } = rendition;
  if (kind === 'subtitles') {
    yield* textRepresentation(rendition);
    return;
  }
  const picture =
    kind === 'video'
      ? { width, height, frameRate: fpsNum && fpsDen ? frameRate(fpsNum, fpsDen) : null, sar: '1:1' }
      : {};
  yield `      ${element('Representation', { id: name, bandwidth: Math.ceil(peakBitrate), codecs, ...picture })}\n`;
  if (kind === 'audio' && channels !== null) {
    const schemeIdUri = 'urn:mpeg:dash:23003:3:audio_channel_configuration:2011';
    yield `        ${element('AudioChannelConfiguration', { schemeIdUri, value: channels }, true)}\n`;
  }
  yield `        <BaseURL>${attribute(name)}/</BaseURL>\n        ${element('SegmentList', { timescale })}\n`;
  yield `          ${element('Initialization', { sourceURL: rendition.initUri }, true)}\n          <SegmentTimeline>\n`;
  yield* timeline(rendition.segments());
  yield '          </SegmentTimeline>\n';
  for await (const { uri } of rendition.segments()) {
    yield `          ${element('SegmentURL', { media: uri }, true)}\n`;
  }
  yield '        </SegmentList>\n      </Representation>\n';
}

/** One file of WebVTT beside the media (ISO/IEC 23009-1, 5.3.9: a Representation of one BaseURL). */
async function* textRepresentation({ name, peakBitrate, segments }: DashRendition): AsyncGenerator<string> {
  yield `      ${element('Representation', { id: name, bandwidth: Math.max(1, Math.ceil(peakBitrate)) })}\n`;
  for await (const { uri } of segments()) yield `        <BaseURL>${attribute(`${name}/${uri}`)}</BaseURL>\n`;
  yield '      </Representation>\n';
}

/** One S for each segment, never S@r: dash.js takes the nth S for the nth SegmentURL. */
async function* timeline(segments: Segments): AsyncGenerator<string> {
  let end: number | null = null;
  for await (const { startTicks, durationTicks } of segments) {
    const t = startTicks === end ? null : startTicks;
    yield `            ${element('S', { t, d: durationTicks }, true)}\n`;
    end = startTicks + durationTicks;
  }
}

const frameRate = (num: number, den: number) => (den === 1 ? String(num) : `${num}/${den}`);

/** At most six decimals, as xs:duration wants them: no exponent. */
const seconds = (value: number) => value.toFixed(6).replace(/\.?0+$/, '');
