import { requireBox } from '../isobmff/boxes.js';
import { durationOf, type Fragment, type FragmentSample } from '../isobmff/fragment.js';
import { Track } from './track.js';
import { Words } from './words.js';
import { box, fullBox, type Parts, sizeOf, u32, u64 } from './write-box.js';

/** Sound and pictures of so many seconds lie side by side: whoever plays reads on, and does not jump. */
const INTERLEAVE_SECONDS = 0.5;
const U32_MAX = 0xffffffff;
/** What follows the duration in mvhd: rate, volume, matrix, the number of the next track. */
const MVHD_REST = 80;
const BRANDS = ['isom', 'iso4', 'mp41', 'mp42'];

/** A fragment as it lies in a stored segment. */
export interface StoredFragment {
  fragment: Fragment;
  mediaSize: number;
}

/**
 * A progressive MP4 of stored segments, written from its front: the tables of all samples come from the
 * fragments' headers, so that `moov` is whole before the first byte of media is read, and the media then goes
 * through as it comes (docs/adr/0013). What is held are the tables, some 12 bytes for each sample.
 */
export class Movie {
  private readonly tracks: Track[];
  /** (track, bytes) of each chunk, in the order of the file. */
  private readonly layout = new Words();

  /** `inits`: the init segment of each track, pictures first; every one has a single track. */
  constructor(private readonly inits: readonly Buffer[]) {
    this.tracks = inits.map((init, i) => new Track(i + 1, init));
  }

  /** The fragments of the next segment of each track. Throws where their times do not go on without a gap. */
  addSegment(segment: readonly (readonly StoredFragment[])[]): void {
    const samples = this.tracks.map((track, i) => continued(track, segment[i] ?? []));
    const next = samples.map(() => 0);
    const begin = Math.min(...this.tracks.map(({ seconds }) => seconds));
    for (let step = 1; next.some((at, i) => at < (samples[i]?.length ?? 0)); step++) {
      const until = begin + step * INTERLEAVE_SECONDS;
      for (const [i, track] of this.tracks.entries()) {
        const own = samples[i] as FragmentSample[];
        const from = next[i] as number;
        const before = track.bytes;
        let at = from;
        for (; at < own.length && track.seconds < until; at++) track.add(own[at] as FragmentSample);
        next[i] = at;
        if (at === from) continue;
        track.endChunk(at - from);
        this.layout.push(i);
        this.layout.push(track.bytes - before);
      }
    }
  }

  /** What comes before the media, and how large the whole file is. */
  head(): { parts: Parts; size: number } {
    const media = this.tracks.reduce((sum, track) => sum + track.bytes, 0);
    // Offsets have the same width wherever they lead.
    const narrow = this.front(false, 0, media);
    const isWide = sizeOf(narrow) + media > U32_MAX;
    const length = sizeOf(isWide ? this.front(true, 0, media) : narrow);
    return { parts: this.front(isWide, length, media), size: length + media };
  }

  /** Which track's media comes next, and how many bytes of it. */
  *chunks(): Generator<{ track: number; bytes: number }> {
    let track: number | null = null;
    for (const part of this.layout.parts()) {
      for (let at = 0; at < part.length; at += 4) {
        const value = part.readUInt32BE(at);
        if (track === null) track = value;
        else {
          yield { track, bytes: value };
          track = null;
        }
      }
    }
  }

  private front(isWide: boolean, mediaAt: number, media: number): Parts {
    const ftyp = box('ftyp', Buffer.from(BRANDS[0] as string), u32(0x200), Buffer.from(BRANDS.join('')));
    return [...ftyp, ...this.moov(isWide, mediaAt), ...mdatHeaderOf(isWide, media)];
  }

  /** Times of the movie are counted as the pictures' are: their length is exact. */
  private moov(isWide: boolean, mediaAt: number): Parts {
    const scale = (this.tracks[0] as Track).timescale;
    const offsets = this.tracks.map(() => new Words());
    let at = mediaAt;
    for (const { track, bytes } of this.chunks()) {
      const own = offsets[track] as Words;
      if (isWide) own.push(Math.floor(at / 2 ** 32));
      own.push(at % 2 ** 32);
      at += bytes;
    }
    const traks = this.tracks.map((track, i) => {
      const own = offsets[i] as Words;
      const table = fullBox(isWide ? 'co64' : 'stco', 0, 0, u32(own.length / (isWide ? 2 : 1)), own.parts());
      return track.trak(table, scale);
    });
    return box('moov', this.mvhd(scale), ...traks);
  }

  private mvhd(scale: number): Parts {
    const init = this.inits[0] as Buffer;
    const old = requireBox(init, 'moov/mvhd');
    const rest = Buffer.from(init.subarray(old.end - MVHD_REST, old.end));
    rest.writeUInt32BE(this.tracks.length + 1, MVHD_REST - 4);
    const length = Math.ceil(Math.max(...this.tracks.map(({ seconds }) => seconds)) * scale);
    return length > U32_MAX
      ? fullBox('mvhd', 1, 0, u32(0, 0, 0, 0, scale), u64(length), rest)
      : fullBox('mvhd', 0, 0, u32(0, 0, scale, length), rest);
  }
}

/** A box whose size fits 32 bits has a header of 8 bytes, a larger one of 16 (ISO/IEC 14496-12 4.2). */
function mdatHeaderOf(isWide: boolean, media: number): Parts {
  const type = Buffer.from('mdat');
  return isWide ? [u32(1), type, u64(media + 16)] : [u32(media + 8), type];
}

function continued(track: Track, fragments: readonly StoredFragment[]): FragmentSample[] {
  let time = track.duration;
  for (const { fragment, mediaSize } of fragments) {
    if (Number(fragment.decodeTime) !== time)
      throw new RangeError(`a fragment at ${fragment.decodeTime}, where ${time} is to go on`);
    const bytes = fragment.samples.reduce((sum, { size }) => sum + size, 0);
    if (bytes !== mediaSize) throw new RangeError(`${bytes} bytes of samples in ${mediaSize} of media`);
    time += durationOf(fragment.samples);
  }
  return fragments.flatMap(({ fragment }) => fragment.samples);
}
