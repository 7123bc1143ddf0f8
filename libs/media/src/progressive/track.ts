import { type Box, findBox, requireBox } from '../isobmff/boxes.js';
import { type FragmentSample, isSync } from '../isobmff/fragment.js';
import { RunLengths, Words } from './words.js';
import { box, fullBox, type Parts, u32, u64 } from './write-box.js';

const U32_MAX = 0xffffffff;
/** What follows the duration in tkhd: layer to height (ISO/IEC 14496-12 8.3.2). */
const TKHD_REST = 60;
/** What follows it in mdhd: language. */
const MDHD_REST = 4;

/** One track of a progressive file: what its init segment says, and the tables of all its samples. */
export class Track {
  /** Ticks a second. */
  readonly timescale: number;
  /** Of its media, in ticks. */
  duration = 0;
  /** Bytes of its media. */
  bytes = 0;
  private readonly delay: number;
  private readonly durations = new RunLengths();
  private readonly offsets = new RunLengths();
  private readonly sizes = new Words();
  private readonly syncs = new Words();
  private hasNegativeOffset = false;
  /** (first chunk, samples of each, description), where the number of samples changes. */
  private readonly chunkSizes = new Words();
  private samplesOfChunk = 0;
  private chunks = 0;

  constructor(
    private readonly id: number,
    private readonly init: Buffer,
  ) {
    const mdhd = requireBox(init, 'moov/trak/mdia/mdhd');
    this.timescale = init.readUInt32BE(mdhd.start + (init[mdhd.start] === 1 ? 20 : 12));
    this.delay = firstEdit(init);
    if (this.timescale === 0 || this.delay < 0) throw new RangeError('an init segment that is none of ours');
  }

  get seconds(): number {
    return this.duration / this.timescale;
  }

  add(sample: FragmentSample): void {
    this.durations.push(sample.duration);
    this.offsets.push(sample.compositionOffset);
    this.hasNegativeOffset ||= sample.compositionOffset < 0;
    this.sizes.push(sample.size);
    if (isSync(sample)) this.syncs.push(this.sizes.length);
    this.duration += sample.duration;
    this.bytes += sample.size;
  }

  /** Says that the last `samples` of what was added lie together. */
  endChunk(samples: number): void {
    this.chunks += 1;
    if (samples === this.samplesOfChunk) return;
    this.samplesOfChunk = samples;
    for (const value of [this.chunks, samples, 1]) this.chunkSizes.push(value);
  }

  /** `chunkOffsets`: the box that tells where each chunk begins. Times of the movie are counted in `movieScale`. */
  trak(chunkOffsets: Parts, movieScale: number): Parts {
    const length = Math.ceil((this.duration * movieScale) / this.timescale);
    return box('trak', this.tkhd(length), this.edts(length), this.mdia(chunkOffsets));
  }

  /** As the init segment has it, with another number and a duration. */
  private tkhd(length: number): Parts {
    const old = requireBox(this.init, 'moov/trak/tkhd');
    const flags = this.init.readUIntBE(old.start + 1, 3);
    const rest = this.init.subarray(old.end - TKHD_REST, old.end);
    return length > U32_MAX
      ? fullBox('tkhd', 1, flags, u32(0, 0, 0, 0, this.id, 0), u64(length), rest)
      : fullBox('tkhd', 0, flags, u32(0, 0, this.id, 0, length), rest);
  }

  /**
   * The same edit as in the init segment (docs/adr/0006), with an end. Sound has one too: players that find
   * none guess how many samples an encoder has put before it, and ours are taken off already.
   */
  private edts(length: number): Parts {
    const entry =
      length > U32_MAX
        ? fullBox('elst', 1, 0, u32(1), u64(length), u64(this.delay), u32(0x10000))
        : fullBox('elst', 0, 0, u32(1, length, this.delay, 0x10000));
    return box('edts', entry);
  }

  private mdia(chunkOffsets: Parts): Parts {
    const { init, duration, timescale } = this;
    const mdia = requireBox(init, 'moov/trak/mdia');
    const mdhd = requireBox(init, 'mdhd', mdia);
    const minf = requireBox(init, 'minf', mdia);
    const rest = init.subarray(mdhd.end - MDHD_REST, mdhd.end);
    const header =
      duration > U32_MAX
        ? fullBox('mdhd', 1, 0, u32(0, 0, 0, 0, timescale), u64(duration), rest)
        : fullBox('mdhd', 0, 0, u32(0, 0, timescale, duration), rest);
    const media = ['vmhd', 'smhd'].flatMap((type) => findBox(init, type, minf) ?? []);
    const described = [...media, requireBox(init, 'dinf', minf)].map((one) => this.whole(one));
    const handler = this.whole(requireBox(init, 'hdlr', mdia));
    return box('mdia', header, handler, box('minf', described, this.stbl(chunkOffsets)));
  }

  private stbl(chunkOffsets: Parts): Parts {
    const samples = this.sizes.length;
    const stsd = this.whole(requireBox(this.init, 'moov/trak/mdia/minf/stbl/stsd'));
    const stts = this.durations.parts();
    const hasOffsets = !this.offsets.isOnly(0);
    const ctts = this.offsets.parts();
    return box(
      'stbl',
      stsd,
      fullBox('stts', 0, 0, u32(this.durations.runs), stts),
      hasOffsets ? fullBox('ctts', this.hasNegativeOffset ? 1 : 0, 0, u32(this.offsets.runs), ctts) : [],
      this.syncs.length < samples ? fullBox('stss', 0, 0, u32(this.syncs.length), this.syncs.parts()) : [],
      fullBox('stsc', 0, 0, u32(this.chunkSizes.length / 3), this.chunkSizes.parts()),
      fullBox('stsz', 0, 0, u32(0, samples), this.sizes.parts()),
      chunkOffsets,
    );
  }

  /** With its header; init segments have short ones. */
  private whole({ start, end }: Box): Buffer {
    return this.init.subarray(start - 8, end);
  }
}

/** Where the presentation begins in the media, in ticks: the delay that cutters write; 0 without an edit list. */
function firstEdit(init: Buffer): number {
  const elst = findBox(init, 'moov/trak/edts/elst');
  if (!elst || init.readUInt32BE(elst.start + 4) === 0) return 0;
  return init[elst.start] === 1
    ? Number(init.readBigInt64BE(elst.start + 16))
    : init.readInt32BE(elst.start + 12);
}
