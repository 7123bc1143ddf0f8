import { BrokenBoxes, boxes, find, must, version } from './boxes.js';

/** What an init segment says of its one track. */
export interface Track {
  kind: 'video' | 'audio';
  /** Ticks per second. */
  timescale: number;
  /** RFC 6381, read from avcC or esds. */
  codecs: string;
  width: number;
  height: number;
  /** Bytes of the length before each NAL unit. */
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
    timescale: mdhd.readUInt32BE(version(mdhd) === 1 ? 20 : 12),
    editStart: editStart(find(moov, 'trak/edts/elst')),
    defaults: { duration: trex.readUInt32BE(12), size: trex.readUInt32BE(16), flags: trex.readUInt32BE(20) },
  };
  if (handler === 'vide') return { ...common, kind: 'video', ...video(entry.type, entry.body) };
  if (handler === 'soun') return { ...common, kind: 'audio', ...audio(entry.type, entry.body) };
  throw new BrokenBoxes(`a track of handler ${handler}`);
}

function video(type: string, entry: Buffer) {
  if (type !== 'avc1') throw new BrokenBoxes(`video sample entry ${type}, avc1 expected`);
  const avcC = must(entry.subarray(78), 'avcC');
  return {
    codecs: `avc1.${avcC.toString('hex', 1, 4)}`,
    width: entry.readUInt16BE(24),
    height: entry.readUInt16BE(26),
    nalLengthSize: (avcC.readUInt8(4) & 3) + 1,
  };
}

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
