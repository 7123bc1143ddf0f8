import { BrokenBoxes, boxes, flags, must, version } from './boxes.js';
import type { Track } from './init-segment.js';

/** Times in ticks of the track. */
export interface Sample {
  decode: number;
  present: number;
  duration: number;
  size: number;
  sync: boolean;
}

export interface MediaSegment {
  samples: Sample[];
  /** The first sample can be decoded by itself, and all that follow without what came before; true for audio. */
  begins: boolean;
}

const NOT_SYNC = 0x10000;

export function readMediaSegment(bytes: Buffer, track: Track): MediaSegment {
  const top = boxes(bytes);
  const samples: Sample[] = [];
  let begins: boolean | undefined;
  for (const moof of top.filter((box) => box.type === 'moof')) {
    const fragment = readFragment(moof.body, track);
    const mdat = top.find((box) => box.type === 'mdat' && box.start > moof.start);
    const held = fragment.samples.reduce((sum, sample) => sum + sample.size, 0);
    if (!mdat || held > mdat.body.length)
      throw new BrokenBoxes('a fragment has more samples than its mdat holds');
    if (track.kind === 'video') {
      const data = fragment.dataOffset === null ? mdat.start + 8 : moof.start + fragment.dataOffset;
      const first = bytes.subarray(data, data + (fragment.samples[0]?.size ?? 0));
      begins ??= BEGINNINGS[track.entry]?.(first, track.nalLengthSize) ?? false;
    }
    samples.push(...fragment.samples);
  }
  if (samples.length === 0) throw new BrokenBoxes('a segment without a sample');
  return { samples, begins: begins ?? true };
}

function readFragment(moof: Buffer, track: Track): { samples: Sample[]; dataOffset: number | null } {
  const traf = must(moof, 'traf');
  const tfhd = must(traf, 'tfhd');
  const has = flags(tfhd);
  let at = 8 + (has & 0x1 ? 8 : 0) + (has & 0x2 ? 4 : 0);
  const optional = (flag: number, otherwise: number) => {
    if (!(has & flag)) return otherwise;
    at += 4;
    return tfhd.readUInt32BE(at - 4);
  };
  const defaults = {
    duration: optional(0x8, track.defaults.duration),
    size: optional(0x10, track.defaults.size),
    flags: optional(0x20, track.defaults.flags),
  };
  const tfdt = must(traf, 'tfdt');
  const start = version(tfdt) === 1 ? tfdt.readBigUInt64BE(4) : BigInt(tfdt.readUInt32BE(4));
  if (start > 1n << 52n) throw new BrokenBoxes(`tfdt ${start}: a negative time that wrapped around`);
  let decode = Number(start);
  let dataOffset: number | null = null;
  const samples: Sample[] = [];
  for (const trun of boxes(traf).filter((box) => box.type === 'trun')) {
    const read = readRun(trun.body, defaults, decode);
    dataOffset ??= read.dataOffset;
    decode = read.end;
    samples.push(...read.samples);
  }
  return { samples, dataOffset };
}

function readRun(trun: Buffer, defaults: Track['defaults'], decodeStart: number) {
  const has = flags(trun);
  let at = 8;
  const next = (
    flag: number,
    otherwise: number,
    read: (at: number) => number = (place) => trun.readUInt32BE(place),
  ) => {
    if (!(has & flag)) return otherwise;
    at += 4;
    return read(at - 4);
  };
  const dataOffset = has & 0x1 ? next(0x1, 0, (place) => trun.readInt32BE(place)) : null;
  const firstFlags = next(0x4, defaults.flags);
  const offset = (place: number) =>
    version(trun) === 1 ? trun.readInt32BE(place) : trun.readUInt32BE(place);
  const samples: Sample[] = [];
  let decode = decodeStart;
  for (let index = 0; index < trun.readUInt32BE(4); index++) {
    const duration = next(0x100, defaults.duration);
    const size = next(0x200, defaults.size);
    const sampleFlags = next(0x400, index === 0 ? firstFlags : defaults.flags);
    const present = decode + next(0x800, 0, offset);
    samples.push({ decode, present, duration, size, sync: (sampleFlags & NOT_SYNC) === 0 });
    decode += duration;
  }
  return { samples, dataOffset, end: decode };
}

/** First byte of each NAL unit, which stands behind its length (ISO/IEC 14496-15). */
function nalHeaders(sample: Buffer, lengthSize: number): number[] {
  const headers: number[] = [];
  for (let at = 0; at + lengthSize < sample.length; ) {
    headers.push(sample.readUInt8(at + lengthSize));
    at += lengthSize + sample.readUIntBE(at, lengthSize);
  }
  return headers;
}

const SEQUENCE_HEADER = 1;
const FRAME_HEADERS = [3, 6];

/** AV1, 5.3 to 5.9: a sequence header, and a first frame that is shown and a key frame. */
function beginsWithKeyFrame(sample: Buffer): boolean {
  let described = false;
  for (let at = 0; at < sample.length; ) {
    const header = sample.readUInt8(at);
    const type = (header >> 3) & 15;
    at += header & 4 ? 2 : 1;
    let size = 0;
    for (let shift = 0, more = true; more; shift += 7, at++) {
      size += (sample.readUInt8(at) & 127) << shift;
      more = sample.readUInt8(at) >= 128;
    }
    if (type === SEQUENCE_HEADER) described = true;
    if (FRAME_HEADERS.includes(type)) return described && sample.readUInt8(at) >> 4 === 1;
    at += size;
  }
  return false;
}

/** By sample entry: is it an IDR picture, or what AV1 has of that kind? */
const BEGINNINGS: Record<string, (sample: Buffer, nalLengthSize: number) => boolean> = {
  avc1: (sample, size) => {
    const types = nalHeaders(sample, size).map((header) => header & 31);
    return types.find((type) => type >= 1 && type <= 5) === 5;
  },
  hvc1: (sample, size) => {
    const types = nalHeaders(sample, size).map((header) => (header >> 1) & 63);
    return [19, 20].includes(types.find((type) => type < 32) ?? -1);
  },
  av01: beginsWithKeyFrame,
};
