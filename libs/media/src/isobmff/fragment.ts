import { type Box, boxesIn, requireBox } from './boxes.js';

/** One `moof` of one track, as ISO/IEC 14496-12 8.8 has it. */
export interface Fragment {
  /** The whole box; the setters below change it in place. */
  moof: Buffer;
  /** Ticks of the track; a time before zero arrives as 2^64 − n and is negative here. */
  decodeTime: bigint;
  samples: FragmentSample[];
}

export interface FragmentSample {
  duration: number;
  size: number;
  flags: number;
  compositionOffset: number;
}

const MOST_SAMPLES_IN_RUN = 1_000_000;
const NON_SYNC = 0x10000;
export const isSync = (sample: FragmentSample): boolean => (sample.flags & NON_SYNC) === 0;
export const durationOf = (samples: FragmentSample[]): number =>
  samples.reduce((sum, s) => sum + s.duration, 0);

interface Defaults {
  duration: number;
  size: number;
  flags: number;
}

export function parseFragment(moof: Buffer): Fragment {
  const traf = requireBox(moof, 'moof/traf');
  const defaults = parseTfhd(moof, requireBox(moof, 'tfhd', traf));
  const samples: FragmentSample[] = [];
  for (const box of boxesIn(moof, traf.start, traf.end)) {
    if (box.type === 'trun') parseTrun(moof, box, defaults, samples);
  }
  return { moof, decodeTime: readDecodeTime(moof, requireBox(moof, 'tfdt', traf)), samples };
}

/** Sets `mfhd.sequence_number` and `tfdt`; the tfdt must be of version 1 unless the time fits 32 bits. */
export function stamp(fragment: Fragment, sequenceNumber: number, decodeTime: bigint): void {
  const { moof } = fragment;
  moof.writeUInt32BE(sequenceNumber, requireBox(moof, 'moof/mfhd').start + 4);
  const tfdt = requireBox(moof, 'moof/traf/tfdt');
  if (moof[tfdt.start] === 1) moof.writeBigUInt64BE(decodeTime, tfdt.start + 4);
  else moof.writeUInt32BE(Number(decodeTime), tfdt.start + 4);
  fragment.decodeTime = decodeTime;
}

function readDecodeTime(moof: Buffer, tfdt: Box): bigint {
  return moof[tfdt.start] === 1
    ? moof.readBigInt64BE(tfdt.start + 4)
    : BigInt(moof.readUInt32BE(tfdt.start + 4));
}

function parseTfhd(moof: Buffer, box: Box): Defaults {
  const flags = moof.readUInt32BE(box.start) & 0xffffff;
  let at = box.start + 8;
  if (flags & 0x1) at += 8;
  if (flags & 0x2) at += 4;
  const next = (present: number) => {
    if (!(flags & present)) return 0;
    at += 4;
    return moof.readUInt32BE(at - 4);
  };
  return { duration: next(0x8), size: next(0x10), flags: next(0x20) };
}

function parseTrun(moof: Buffer, box: Box, defaults: Defaults, samples: FragmentSample[]): void {
  const flags = moof.readUInt32BE(box.start) & 0xffffff;
  const count = moof.readUInt32BE(box.start + 4);
  let at = box.start + 8;
  if (flags & 0x1) at += 4;
  const firstFlags = flags & 0x4 ? moof.readUInt32BE(at) : null;
  if (flags & 0x4) at += 4;
  // A run whose samples have no field of their own can claim any number of them.
  if (count > MOST_SAMPLES_IN_RUN) throw new RangeError('trun has more samples than a fragment may');
  for (let i = 0; i < count; i++) {
    const next = (present: number, fallback: number) => {
      if (!(flags & present)) return fallback;
      at += 4;
      return moof.readUInt32BE(at - 4);
    };
    const duration = next(0x100, defaults.duration);
    const size = next(0x200, defaults.size);
    const own = next(0x400, i === 0 && firstFlags !== null ? firstFlags : defaults.flags);
    const compositionOffset = next(0x800, 0) | 0;
    samples.push({ duration, size, flags: own, compositionOffset });
  }
}

/** A `moof` for audio: every sample a sync sample of the same duration, data right behind the header of `mdat`. */
export function buildAudioMoof(
  sequence: number,
  decodeTime: bigint,
  duration: number,
  sizes: number[],
): Buffer {
  const trunSize = 20 + sizes.length * 4;
  const size = 8 + 16 + 8 + 20 + 20 + trunSize;
  const moof = Buffer.alloc(size);
  let at = 0;
  const u32 = (value: number) => {
    at = moof.writeUInt32BE(value >>> 0, at);
  };
  const box = (length: number, type: string) => {
    u32(length);
    at += moof.write(type, at, 'latin1');
  };
  box(size, 'moof');
  box(16, 'mfhd');
  u32(0);
  u32(sequence);
  box(size - 24, 'traf');
  box(20, 'tfhd');
  u32(0x020000 | 0x8); // default-base-is-moof, default-sample-duration
  u32(1);
  u32(duration);
  box(20, 'tfdt');
  u32(0x01000000);
  at = moof.writeBigUInt64BE(decodeTime, at);
  box(trunSize, 'trun');
  u32(0x000201); // data-offset, sample-size
  u32(sizes.length);
  u32(size + 8);
  for (const sampleSize of sizes) u32(sampleSize);
  return moof;
}
