import { BrokenBoxes, boxes, find, must, version } from './boxes.js';

/** What an init segment says of its one track. */
export interface Track {
  /** `avc1`, `hvc1`, `av01` or `mp4a`. */
  entry: string;
  kind: 'video' | 'audio';
  /** Ticks per second. */
  timescale: number;
  /** RFC 6381, read from avcC, hvcC, av1C or esds. */
  codecs: string;
  width: number;
  height: number;
  /** Bytes of the length before each NAL unit; 0 where there are none. */
  nalLengthSize: number;
  /** Ticks that an edit list takes off every presentation time; 0 without one. */
  editStart: number;
  defaults: { duration: number; size: number; flags: number };
}

export function readInitSegment(bytes: Buffer): Track {
  const moov = must(bytes, 'moov');
  if (boxes(moov).filter((box) => box.type === 'trak').length !== 1) throw new BrokenBoxes('not one track');
  const mdhd = must(moov, 'trak/mdia/mdhd');
  const trex = must(moov, 'mvex/trex');
  const handler = must(moov, 'trak/mdia/hdlr').toString('latin1', 8, 12);
  const stsd = must(moov, 'trak/mdia/minf/stbl/stsd');
  const entry = boxes(stsd.subarray(8))[0];
  if (!entry) throw new BrokenBoxes('stsd is empty');
  const common = {
    entry: entry.type,
    timescale: mdhd.readUInt32BE(version(mdhd) === 1 ? 20 : 12),
    editStart: editStart(find(moov, 'trak/edts/elst')),
    defaults: { duration: trex.readUInt32BE(12), size: trex.readUInt32BE(16), flags: trex.readUInt32BE(20) },
  };
  if (handler === 'vide') return { ...common, kind: 'video', ...video(entry.type, entry.body) };
  if (handler === 'soun') return { ...common, kind: 'audio', ...audio(entry.type, entry.body) };
  throw new BrokenBoxes(`a track of handler ${handler}`);
}

function video(type: string, entry: Buffer) {
  const inside = entry.subarray(78);
  const size = { width: entry.readUInt16BE(24), height: entry.readUInt16BE(26) };
  if (type === 'avc1') {
    const avcC = must(inside, 'avcC');
    return {
      ...size,
      codecs: `avc1.${avcC.toString('hex', 1, 4)}`,
      nalLengthSize: (avcC.readUInt8(4) & 3) + 1,
    };
  }
  if (type === 'hvc1') {
    const hvcC = must(inside, 'hvcC');
    return { ...size, codecs: hevcCodecs(hvcC), nalLengthSize: (hvcC.readUInt8(21) & 3) + 1 };
  }
  if (type === 'av01') return { ...size, codecs: av1Codecs(must(inside, 'av1C')), nalLengthSize: 0 };
  throw new BrokenBoxes(`video sample entry ${type}, avc1, hvc1 or av01 expected`);
}

/** ISO/IEC 14496-15, E.3; of the eight-bit main profiles of the main tier, which is all that we make. */
function hevcCodecs(hvcC: Buffer): string {
  const bits = [...hvcC.subarray(2, 6)].map((byte) => byte.toString(2).padStart(8, '0')).join('');
  const flags = Number.parseInt([...bits].reverse().join(''), 2).toString(16);
  const constraints = hvcC.toString('hex', 6, 12).replace(/(00)+$/, '');
  const bytes = (constraints.match(/../g) ?? []).map((byte) => byte.replace(/^0/, ''));
  return ['hvc1', String(hvcC.readUInt8(1)), flags, `L${hvcC.readUInt8(12)}`, ...bytes]
    .map((part) => part.toUpperCase())
    .join('.')
    .replace('HVC1', 'hvc1');
}

/** AV1 in ISO-BMFF, section 5: of eight bits and the main tier. */
const av1Codecs = (av1C: Buffer): string =>
  `av01.${av1C.readUInt8(1) >> 5}.${String(av1C.readUInt8(1) & 31).padStart(2, '0')}M.08`;

function audio(type: string, entry: Buffer) {
  if (type !== 'mp4a') throw new BrokenBoxes(`audio sample entry ${type}, mp4a expected`);
  const esds = must(entry.subarray(28), 'esds');
  return { codecs: `mp4a.${audioObjectType(esds.subarray(4))}`, width: 0, height: 0, nalLengthSize: 0 };
}

/** ISO/IEC 14496-1, 7.2.6: ES descriptor (3) → decoder config (4) → decoder specific info (5). */
function audioObjectType(descriptors: Buffer): string {
  const inside = descriptor(descriptors, 3).subarray(3);
  const config = descriptor(inside, 4);
  const indication = config.readUInt8(0).toString(16);
  return `${indication}.${descriptor(config.subarray(13), 5).readUInt8(0) >> 3}`;
}

function descriptor(bytes: Buffer, tag: number): Buffer {
  if (bytes.readUInt8(0) !== tag) throw new BrokenBoxes(`descriptor ${tag} is not where it belongs`);
  let at = 1;
  let size = 0;
  for (let more = true; more; at++) {
    const part = bytes.readUInt8(at);
    size = size * 128 + (part & 0x7f);
    more = part >= 0x80;
  }
  return bytes.subarray(at, at + size);
}

function editStart(elst: Buffer | undefined): number {
  if (!elst) return 0;
  const long = version(elst) === 1;
  const count = elst.readUInt32BE(4);
  for (let entry = 0; entry < count; entry++) {
    const at = 8 + entry * (long ? 20 : 12);
    const mediaTime = long ? Number(elst.readBigInt64BE(at + 8)) : elst.readInt32BE(at + 4);
    if (mediaTime >= 0) return mediaTime;
  }
  return 0;
}
