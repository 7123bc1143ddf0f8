import { type Box, boxesIn, findBox, requireBox } from '../isobmff/boxes.js';
import { specificConfig } from '../isobmff/codecs.js';
import { type AdtsConfig, readAdtsConfig } from './adts.js';
import { type AvcConfig, readAvcConfig } from './avc.js';
import type { ElementaryStream } from './stream.js';

/** What an init segment says of its one track. */
export interface Track {
  timescale: number;
  /** Ticks of media before time 0: what the edit list leaves out. */
  mediaTime: number;
  codec: ({ kind: 'avc' } & AvcConfig) | ({ kind: 'aac' } & AdtsConfig);
}

/** stream_type and stream_id (ISO/IEC 13818-1 2.4.4.9, 2.4.3.7). */
export const STREAMS: Record<Track['codec']['kind'], ElementaryStream> = {
  avc: { streamType: 0x1b, streamId: 0xe0 },
  aac: { streamType: 0x0f, streamId: 0xc0 },
};

/** Bytes of a sample entry before its boxes (ISO/IEC 14496-12 12.1.3, 12.2.3). */
const [VISUAL, AUDIO] = [78, 28];

/** RFC 6381 codecs that segments of MPEG-TS hold in HLS: H.264 and AAC-LC. */
export const fitsTs = (codecs: string): boolean => /^(avc1\.|mp4a\.40\.2$)/.test(codecs);

export function readTrack(init: Buffer): Track {
  const media = requireBox(init, 'moov/trak/mdia');
  const header = requireBox(init, 'mdhd', media);
  return {
    timescale: init.readUInt32BE(header.start + (init[header.start] === 1 ? 20 : 12)),
    mediaTime: readMediaTime(init),
    codec: readCodec(init, requireBox(init, 'minf/stbl/stsd', media)),
  };
}

function readMediaTime(init: Buffer): number {
  const edits = findBox(init, 'moov/trak/edts/elst');
  if (!edits || init.readUInt32BE(edits.start + 4) === 0) return 0;
  return init[edits.start] === 1
    ? Number(init.readBigInt64BE(edits.start + 16))
    : init.readInt32BE(edits.start + 12);
}

function readCodec(init: Buffer, stsd: Box): Track['codec'] {
  for (const entry of boxesIn(init, stsd.start + 8, stsd.end)) {
    const inside = (type: string, after: number) =>
      findBox(init, type, { ...entry, start: entry.start + after });
    const avcC = entry.type === 'avc1' ? inside('avcC', VISUAL) : null;
    if (avcC) return { kind: 'avc', ...readAvcConfig(init.subarray(avcC.start, avcC.end)) };
    const esds = entry.type === 'mp4a' ? inside('esds', AUDIO) : null;
    if (esds)
      return { kind: 'aac', ...readAdtsConfig(specificConfig(init.subarray(esds.start + 4, esds.end))) };
  }
  throw new Error('a codec that MPEG-TS does not hold');
}
