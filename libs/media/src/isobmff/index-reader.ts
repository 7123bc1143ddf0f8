import type { SourceReader } from '../probe/source.js';
import { type Box, boxesIn, findBox, requireBox } from './boxes.js';
import { runs, sampleOffsets, sampleSizes, syncNumbers } from './sample-tables.js';

/** What a movie's index says of its video track; times in ticks of the track, as presented (edit list applied). */
export interface TrackIndex {
  timescale: number;
  frames: number;
  /** Presentation time of the first frame, an empty edit included. */
  startTicks: number;
  /** End of the last frame. */
  endTicks: number;
  /** The one duration of all frames (the last may differ), else null. */
  frameTicks: number | null;
  /** Of all key frames, in order of decoding. */
  keyTicks: number[];
  /** The first of them, at most MOST_SYNC_SAMPLES. `delay`: how much later than it is decoded one is shown. */
  sync: { ticks: number; delay: number; offset: number; size: number }[];
  /** One past the last byte that a sample needs. */
  endOffset: number;
  extents: Extent[];
  /** Body of `avcC`, for H.264. */
  avcC: Buffer | null;
  sampleEntries: number;
}

/** Where the samples of about half a second of decoding lie. */
export interface Extent {
  /** Decode time of its first sample, on the clock of the presentation times. */
  ticks: number;
  from: number;
  to: number;
}

const EXTENT_SECONDS = 0.5;
const LARGEST_MOOV = 64 * 1024 * 1024;
const MOST_TOP_BOXES = 1000;
/** Twelve hours at 115 frames a second; what has more is read as packets, a line at a time. */
const MOST_FRAMES = 5_000_000;
/** Twelve hours with a key frame in each second. */
const MOST_SYNC_SAMPLES = 43_200;

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
  return unlessBroken(() => index(moov, trackId));
}

/** When a track of sound is presented; from the run lengths alone, since PCM has a sample for each tick. */
export function trackTimes(
  moov: Buffer,
  trackId: number,
): { timescale: number; startTicks: number; endTicks: number } | null {
  return unlessBroken(() => times(moov, trackId));
}

function unlessBroken<T>(read: () => T | null): T | null {
  try {
    return read();
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

interface Track {
  timescale: number;
  stbl: Box;
  /** Of the track's media; `length` 0: all of it. */
  edit: { delay: number; length: number; mediaTime: number };
}

function open(moov: Buffer, trackId: number): Track | null {
  const root = requireBox(moov, 'moov');
  if (findBox(moov, 'mvex', root)) return null;
  const track = trackOf(moov, root, trackId);
  if (!track) return null;
  const timescale = readMdhdTimescale(moov, requireBox(moov, 'mdia/mdhd', track));
  const movieTimescale = readMdhdTimescale(moov, requireBox(moov, 'mvhd', root));
  const edit = readEdit(moov, findBox(moov, 'edts/elst', track));
  if (!edit) return null;
  const inMedia = (ticks: number) => (ticks * timescale) / movieTimescale;
  return {
    timescale,
    stbl: requireBox(moov, 'mdia/minf/stbl', track),
    edit: {
      delay: Math.round(inMedia(edit.emptyDuration)),
      length: inMedia(edit.duration),
      mediaTime: edit.mediaTime,
    },
  };
}

/** Whether the edit ends before the samples do, by more than a frame. */
const cutsOff = ({ edit }: Track, endTicks: number, frame: number) =>
  edit.length > 0 && edit.length < endTicks - edit.delay - 1.5 * frame;

function times(moov: Buffer, trackId: number) {
  const track = open(moov, trackId);
  if (!track || findBox(moov, 'ctts', track.stbl)) return null;
  const { delay, length, mediaTime } = track.edit;
  const { count } = sampleSizes(moov, requireBox(moov, 'stsz', track.stbl));
  const samples = runs(moov, requireBox(moov, 'stts', track.stbl), false).sum(count);
  // The encoder's priming lies before the edit in nearly every file; demuxers drop it and what lies behind.
  const end = samples - mediaTime;
  const endTicks = delay + (length > 0 ? Math.min(end, length) : end);
  return endTicks > delay ? { timescale: track.timescale, startTicks: delay, endTicks } : null;
}

function index(moov: Buffer, trackId: number): TrackIndex | null {
  const track = open(moov, trackId);
  if (!track) return null;
  const { timescale, stbl, edit } = track;
  const sizes = sampleSizes(moov, requireBox(moov, 'stsz', stbl));
  const frames = sizes.count;
  if (frames === 0 || frames > MOST_FRAMES) return null;
  const offsets = sampleOffsets(moov, stbl);
  const decode = runs(moov, requireBox(moov, 'stts', stbl), false);
  const ctts = findBox(moov, 'ctts', stbl);
  const compositions = ctts ? runs(moov, ctts, true) : null;
  const syncSet = findBox(moov, 'stss', stbl);
  const numbers = syncSet ? syncNumbers(moov, syncSet) : null;

  const result = { start: Number.POSITIVE_INFINITY, end: 0, endOffset: 0 };
  const keyTicks: number[] = [];
  const sync: TrackIndex['sync'] = [];
  const extents: Extent[] = [];
  let dts = 0;
  for (let i = 0; i < frames; i++) {
    const duration = decode.next();
    const composition = compositions?.next() ?? 0;
    const ticks = dts + composition - edit.mediaTime + edit.delay;
    const size = sizes.at(i);
    const offset = offsets.next(size);
    if (ticks < result.start) result.start = ticks;
    if (ticks + duration > result.end) result.end = ticks + duration;
    if (offset + size > result.endOffset) result.endOffset = offset + size;
    extend(extents, dts - edit.mediaTime + edit.delay, offset, offset + size, timescale * EXTENT_SECONDS);
    if (numbers === null || numbers.at(keyTicks.length) === i + 1) {
      keyTicks.push(ticks);
      if (sync.length < MOST_SYNC_SAMPLES) sync.push({ ticks, delay: composition, offset, size });
    }
    dts += duration;
  }
  if (result.start !== edit.delay && edit.mediaTime > 0) return null;
  const frameTicks = decode.constant(frames);
  if (cutsOff(track, result.end, frameTicks ?? (result.end - result.start) / frames)) return null;
  const stsd = requireBox(moov, 'stsd', stbl);
  return {
    timescale,
    frames,
    startTicks: result.start,
    endTicks: result.end,
    frameTicks,
    keyTicks,
    sync,
    endOffset: result.endOffset,
    extents,
    avcC: readAvcC(moov, stsd),
    sampleEntries: moov.readUInt32BE(stsd.start + 4),
  };
}

function extend(extents: Extent[], ticks: number, from: number, to: number, length: number): void {
  const last = extents.at(-1);
  if (!last || ticks - last.ticks >= length) {
    extents.push({ ticks, from, to });
    return;
  }
  if (from < last.from) last.from = from;
  if (to > last.to) last.to = to;
}

function trackOf(moov: Buffer, root: Box, trackId: number): Box | null {
  for (const box of boxesIn(moov, root.start, root.end)) {
    if (box.type !== 'trak') continue;
    const tkhd = requireBox(moov, 'tkhd', box);
    if (moov.readUInt32BE(tkhd.start + (moov[tkhd.start] === 1 ? 20 : 12)) === trackId) return box;
  }
  return null;
}

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

/** Body of `avcC`; null for what is not `avc1`. */
export function readAvcC(moov: Buffer, stsd: Box): Buffer | null {
  for (const entry of boxesIn(moov, stsd.start + 8, stsd.end)) {
    if (entry.type !== 'avc1') continue;
    const avcC = findBox(moov, 'avcC', { ...entry, start: entry.start + 78 });
    if (avcC) return moov.subarray(avcC.start, avcC.end);
  }
  return null;
}
