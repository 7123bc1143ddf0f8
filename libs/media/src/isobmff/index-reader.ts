import type { SourceReader } from '../probe/source.js';
import { type Box, boxesIn, findBox, requireBox } from './boxes.js';

/** What a movie's index says of one track; times in ticks of the track, as presented (edit list applied). */
export interface TrackIndex {
  timescale: number;
  frames: number;
  /** Presentation time of the first frame, an empty edit included. */
  startTicks: number;
  /** End of the last frame. */
  endTicks: number;
  /** The one duration of all frames (the last may differ), else null. */
  frameTicks: number | null;
  /** Of a video track. `delay`: how much later than it is decoded a key frame is shown. */
  sync: { ticks: number; delay: number; offset: number; size: number }[];
  /** One past the last byte that a sample needs. */
  endOffset: number;
  /** Body of `avcC`, for H.264. */
  avcC: Buffer | null;
  sampleEntries: number;
}

const LARGEST_MOOV = 64 * 1024 * 1024;
const MOST_TOP_BOXES = 1000;

/** The body of `moov` with its header, wherever it stands; null when there is none of a size that we hold. */
export async function readMoov(source: SourceReader): Promise<Buffer | null> {
  let at = 0;
  for (let n = 0; n < MOST_TOP_BOXES && at + 8 <= source.size; n++) {
    const header = await source.read(at, at + 16);
    if (header.length < 8) return null;
    let size = header.readUInt32BE(0);
    if (size === 1 && header.length >= 16) size = Number(header.readBigUInt64BE(8));
    if (size === 0) size = source.size - at;
    if (size < 8) return null;
    if (header.toString('latin1', 4, 8) === 'moov') {
      return size > LARGEST_MOOV || at + size > source.size ? null : source.read(at, at + size);
    }
    at += size;
  }
  return null;
}

/** Null: fragmented, an edit list that is more than a start offset, or tables that do not fit together. Then the packets tell. */
export function indexTrack(moov: Buffer, trackId: number): TrackIndex | null {
  try {
    return index(moov, trackId);
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

function index(moov: Buffer, trackId: number): TrackIndex | null {
  const root = requireBox(moov, 'moov');
  if (findBox(moov, 'mvex', root)) return null;
  const track = trackOf(moov, root, trackId);
  if (!track) return null;
  const timescale = readMdhdTimescale(moov, requireBox(moov, 'mdia/mdhd', track));
  const movieTimescale = readMdhdTimescale(moov, requireBox(moov, 'mvhd', root));
  const stbl = requireBox(moov, 'mdia/minf/stbl', track);
  const edit = readEdit(moov, findBox(moov, 'edts/elst', track));
  if (!edit) return null;
  const isSound = handlerOf(moov, track) === 'soun';

  const sizes = sampleSizes(moov, requireBox(moov, 'stsz', stbl));
  const frames = sizes.count;
  if (frames === 0) return null;
  const offsets = sampleOffsets(moov, stbl, sizes);
  const decode = runs(moov, requireBox(moov, 'stts', stbl), false);
  const ctts = findBox(moov, 'ctts', stbl);
  const compositionRuns = ctts ? runs(moov, ctts, true) : null;
  const syncSet = findBox(moov, 'stss', stbl);
  const syncNumbers = syncSet ? u32List(moov, syncSet, 1) : null;

  const delay = Math.round((edit.emptyDuration * timescale) / movieTimescale);
  const result = { start: Number.POSITIVE_INFINITY, end: 0, endOffset: 0 };
  const sync: TrackIndex['sync'] = [];
  let dts = 0;
  let nextSync = 0;
  for (let i = 0; i < frames; i++) {
    const duration = decode.next();
    const composition = compositionRuns?.next() ?? 0;
    const ticks = dts + composition - edit.mediaTime + delay;
    const offset = offsets[i] as number;
    const size = sizes.at(i);
    if (ticks < result.start) result.start = ticks;
    if (ticks + duration > result.end) result.end = ticks + duration;
    if (offset + size > result.endOffset) result.endOffset = offset + size;
    if (!isSound && (syncNumbers === null || syncNumbers[nextSync] === i + 1)) {
      sync.push({ ticks, delay: composition, offset, size });
      nextSync++;
    }
    dts += duration;
  }
  const editEnd = edit.duration > 0 ? delay + (edit.duration * timescale) / movieTimescale : result.end;
  const frameTicks = decode.constant(frames);
  if (isSound) {
    // The encoder's priming lies before the edit in nearly every file; demuxers drop it and what lies behind.
    result.start = Math.max(result.start, delay);
    result.end = Math.min(result.end, editEnd);
    if (result.end <= result.start) return null;
  } else {
    if (result.start !== delay && edit.mediaTime > 0) return null;
    const frame = frameTicks ?? (result.end - result.start) / frames;
    if (editEnd < result.end - 1.5 * frame) return null;
  }
  const stsd = requireBox(moov, 'stsd', stbl);
  return {
    timescale,
    frames,
    startTicks: result.start,
    endTicks: result.end,
    frameTicks,
    sync,
    endOffset: result.endOffset,
    avcC: readAvcC(moov, stsd),
    sampleEntries: moov.readUInt32BE(stsd.start + 4),
  };
}

function trackOf(moov: Buffer, root: Box, trackId: number): Box | null {
  for (const box of boxesIn(moov, root.start, root.end)) {
    if (box.type !== 'trak') continue;
    const tkhd = requireBox(moov, 'tkhd', box);
    if (moov.readUInt32BE(tkhd.start + (moov[tkhd.start] === 1 ? 20 : 12)) === trackId) return box;
  }
  return null;
}

const handlerOf = (moov: Buffer, track: Box) => {
  const { start } = requireBox(moov, 'mdia/hdlr', track);
  return moov.toString('latin1', start + 8, start + 12);
};

const readMdhdTimescale = (moov: Buffer, box: Box) => {
  const timescale = moov.readUInt32BE(box.start + (moov[box.start] === 1 ? 20 : 12));
  if (timescale === 0) throw new RangeError('timescale 0');
  return timescale;
};

/** At most an empty edit and then one edit at normal speed. Durations in movie ticks, mediaTime in media ticks. */
function readEdit(
  moov: Buffer,
  elst: Box | null,
): { emptyDuration: number; duration: number; mediaTime: number } | null {
  if (!elst) return { emptyDuration: 0, duration: 0, mediaTime: 0 };
  const long = moov[elst.start] === 1;
  const count = moov.readUInt32BE(elst.start + 4);
  let at = elst.start + 8;
  let emptyDuration = 0;
  for (let i = 0; i < count && i < 3; i++) {
    const duration = long ? Number(moov.readBigUInt64BE(at)) : moov.readUInt32BE(at);
    const mediaTime = long ? Number(moov.readBigInt64BE(at + 8)) : moov.readInt32BE(at + 4);
    const rate = moov.readInt16BE(at + (long ? 16 : 8));
    at += long ? 20 : 12;
    if (mediaTime === -1 && i === 0) emptyDuration = duration;
    else
      return i === count - 1 && mediaTime >= 0 && rate === 1 ? { emptyDuration, duration, mediaTime } : null;
  }
  return null;
}

function sampleSizes(moov: Buffer, stsz: Box): { count: number; at: (i: number) => number } {
  const fixed = moov.readUInt32BE(stsz.start + 4);
  const count = moov.readUInt32BE(stsz.start + 8);
  if (fixed === 0 && stsz.start + 12 + count * 4 > stsz.end) throw new RangeError('stsz');
  return { count, at: (i) => (fixed > 0 ? fixed : moov.readUInt32BE(stsz.start + 12 + i * 4)) };
}

function sampleOffsets(
  moov: Buffer,
  stbl: Box,
  sizes: { count: number; at: (i: number) => number },
): Float64Array {
  const co64 = findBox(moov, 'co64', stbl);
  const chunks = co64 ?? requireBox(moov, 'stco', stbl);
  const chunkCount = moov.readUInt32BE(chunks.start + 4);
  const chunkOffset = (i: number) =>
    co64
      ? Number(moov.readBigUInt64BE(chunks.start + 8 + i * 8))
      : moov.readUInt32BE(chunks.start + 8 + i * 4);
  const stsc = requireBox(moov, 'stsc', stbl);
  const entries = moov.readUInt32BE(stsc.start + 4);
  const offsets = new Float64Array(sizes.count);
  let sample = 0;
  for (let entry = 0; entry < entries && sample < sizes.count; entry++) {
    const at = stsc.start + 8 + entry * 12;
    const first = moov.readUInt32BE(at);
    const perChunk = moov.readUInt32BE(at + 4);
    const until = entry + 1 < entries ? moov.readUInt32BE(at + 12) : chunkCount + 1;
    for (let chunk = first; chunk < until && sample < sizes.count; chunk++) {
      let offset = chunkOffset(chunk - 1);
      for (let k = 0; k < perChunk && sample < sizes.count; k++) {
        offsets[sample] = offset;
        offset += sizes.at(sample++);
      }
    }
  }
  if (sample !== sizes.count) throw new RangeError('stsc does not cover all samples');
  return offsets;
}

/** Run-length tables: stts (count, delta) and ctts (count, offset). */
function runs(
  moov: Buffer,
  box: Box,
  signed: boolean,
): { next: () => number; constant: (samples: number) => number | null } {
  const entries = moov.readUInt32BE(box.start + 4);
  const read = (entry: number, field: number) => {
    const at = box.start + 8 + entry * 8 + field;
    return signed && field === 4 ? moov.readInt32BE(at) : moov.readUInt32BE(at);
  };
  let entry = 0;
  let left = entries > 0 ? read(0, 0) : 0;
  return {
    next: () => {
      while (left === 0 && entry + 1 < entries) left = read(++entry, 0);
      if (left === 0) throw new RangeError('a sample table is too short');
      left--;
      return read(entry, 4);
    },
    constant: (samples) => {
      const delta = entries > 0 ? read(0, 4) : 0;
      if (delta === 0) return null;
      let covered = 0;
      for (let i = 0; i < entries; i++) {
        if (read(i, 4) !== delta && covered < samples - 1) return null;
        covered += read(i, 0);
      }
      return delta;
    },
  };
}

function u32List(moov: Buffer, box: Box, field: number): Uint32Array {
  const count = moov.readUInt32BE(box.start + 4);
  if (box.start + 8 + count * 4 * field > box.end) throw new RangeError(box.type);
  return Uint32Array.from({ length: count }, (_, i) => moov.readUInt32BE(box.start + 8 + i * 4));
}

function readAvcC(moov: Buffer, stsd: Box): Buffer | null {
  for (const entry of boxesIn(moov, stsd.start + 8, stsd.end)) {
    if (entry.type !== 'avc1') continue;
    const avcC = findBox(moov, 'avcC', { ...entry, start: entry.start + 78 });
    if (avcC) return moov.subarray(avcC.start, avcC.end);
  }
  return null;
}
