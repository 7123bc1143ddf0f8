import { type Box, findBox, requireBox } from './boxes.js';

/**
 * The tables of a track (ISO/IEC 14496-12 8.6, 8.7), read where they stand. A count is only believed as
 * far as its box reaches, so none of them makes us allocate or loop by itself; what does not fit is a
 * RangeError.
 */
export interface SampleSizes {
  count: number;
  at: (sample: number) => number;
}

export function sampleSizes(moov: Buffer, stsz: Box): SampleSizes {
  const fixed = moov.readUInt32BE(stsz.start + 4);
  const count = moov.readUInt32BE(stsz.start + 8);
  if (fixed === 0) mustHold(stsz, 12, count, 4);
  return { count, at: (i) => (fixed > 0 ? fixed : moov.readUInt32BE(stsz.start + 12 + i * 4)) };
}

/** Where the samples lie, one after the other. */
export function sampleOffsets(moov: Buffer, stbl: Box): { next: (size: number) => number } {
  const chunks = chunkOffsets(moov, stbl);
  const stsc = requireBox(moov, 'stsc', stbl);
  const entries = moov.readUInt32BE(stsc.start + 4);
  mustHold(stsc, 8, entries, 12);
  const field = (entry: number, place: number) => moov.readUInt32BE(stsc.start + 8 + entry * 12 + place);
  let entry = -1;
  let chunk = 0;
  let until = 0;
  let left = 0;
  let offset = 0;
  const nextChunk = () => {
    chunk++;
    if (chunk >= until) {
      if (++entry >= entries || field(entry, 0) !== Math.max(chunk, 1))
        throw new RangeError('stsc does not cover all samples');
      chunk = field(entry, 0);
      until = entry + 1 < entries ? field(entry + 1, 0) : chunks.count + 1;
      if (until <= chunk || field(entry, 4) === 0) throw new RangeError('stsc out of order');
    }
    left = field(entry, 4);
    offset = chunks.at(chunk);
  };
  return {
    next: (size) => {
      if (left === 0) nextChunk();
      left--;
      const at = offset;
      offset += size;
      return at;
    },
  };
}

/** Chunks are counted from 1. */
function chunkOffsets(moov: Buffer, stbl: Box): { count: number; at: (chunk: number) => number } {
  const co64 = findBox(moov, 'co64', stbl);
  const box = co64 ?? requireBox(moov, 'stco', stbl);
  const count = moov.readUInt32BE(box.start + 4);
  const width = co64 ? 8 : 4;
  mustHold(box, 8, count, width);
  return {
    count,
    at: (chunk) => {
      if (chunk > count) throw new RangeError(box.type);
      const at = box.start + 8 + (chunk - 1) * width;
      return co64 ? Number(moov.readBigUInt64BE(at)) : moov.readUInt32BE(at);
    },
  };
}

export interface Runs {
  /** The value of the next sample. */
  next: () => number;
  /** The one value of all samples, the last of which may differ; else null. */
  constant: (samples: number) => number | null;
  /** Of the values of the first samples. */
  sum: (samples: number) => number;
}

/** Run-length tables: stts (count, delta) and ctts (count, offset). */
export function runs(moov: Buffer, box: Box, signed: boolean): Runs {
  const entries = moov.readUInt32BE(box.start + 4);
  mustHold(box, 8, entries, 8);
  const count = (entry: number) => moov.readUInt32BE(box.start + 8 + entry * 8);
  const value = (entry: number) => {
    const at = box.start + 12 + entry * 8;
    return signed ? moov.readInt32BE(at) : moov.readUInt32BE(at);
  };
  let entry = 0;
  let left = entries > 0 ? count(0) : 0;
  return {
    next: () => {
      while (left === 0 && entry + 1 < entries) left = count(++entry);
      if (left === 0) throw tooShort();
      left--;
      return value(entry);
    },
    constant: (samples) => {
      const first = entries > 0 ? value(0) : 0;
      if (first === 0) return null;
      let covered = 0;
      for (let i = 0; i < entries; i++) {
        if (value(i) !== first && covered < samples - 1) return null;
        covered += count(i);
      }
      return first;
    },
    sum: (samples) => {
      let sum = 0;
      let rest = samples;
      for (let i = 0; i < entries && rest > 0; i++) {
        const taken = Math.min(rest, count(i));
        sum += taken * value(i);
        rest -= taken;
      }
      if (rest > 0) throw tooShort();
      return sum;
    },
  };
}

/** The numbers of the sync samples, in order. */
export function syncNumbers(moov: Buffer, stss: Box): { at: (place: number) => number | undefined } {
  const count = moov.readUInt32BE(stss.start + 4);
  mustHold(stss, 8, count, 4);
  return { at: (place) => (place < count ? moov.readUInt32BE(stss.start + 8 + place * 4) : undefined) };
}

function mustHold(box: Box, header: number, count: number, width: number): void {
  if (box.start + header + count * width > box.end) throw new RangeError(`${box.type} ends too early`);
}

const tooShort = () => new RangeError('a sample table is too short');
