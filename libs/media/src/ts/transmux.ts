import { ByteReader } from '../cut/byte-reader.js';
import { readFragments } from '../cut/fragments.js';
import { isSync } from '../isobmff/fragment.js';
import { adtsHeader } from './adts.js';
import { toByteStream } from './avc.js';
import { onClock } from './clock.js';
import { Packetizer } from './packetizer.js';
import { programTables } from './psi.js';
import type { AccessUnits } from './stream.js';
import { STREAMS, type Track } from './track.js';

interface Sample {
  bytes: Buffer;
  /** Ticks, from time 0 of the rendition. */
  decode: number;
  present: number;
  duration: number;
  sync: boolean;
}

/** AAC frames of one PES packet: 0.34 s at 48 kHz, and half of the 0.7 s that may lie between two PTS (2.7.4). */
const FRAMES_TOGETHER = 16;

/**
 * A CMAF segment as MPEG-TS (RFC 8216, 3.2), frame by frame: in memory are two of them. It says nothing of
 * the segments beside it but its index, and follows them without a break in times and counters all the same.
 * The same segment gives the same bytes. Throws when the boxes or the frames are not what they say.
 */
export async function* segmentToTs(
  segment: AsyncIterable<Buffer>,
  track: Track,
  index: number,
): AsyncGenerator<Buffer> {
  const stream = STREAMS[track.codec.kind];
  const packetizer = new Packetizer(stream);
  yield programTables(stream, index);
  let held: AccessUnits | null = null;
  for await (const units of accessUnits(samplesOf(segment, track.mediaTime), track)) {
    if (held) yield packetizer.packetize(held, false);
    held = units;
  }
  if (!held) throw new Error('a segment without frames');
  yield packetizer.packetize(held, true);
}

async function* samplesOf(segment: AsyncIterable<Buffer>, mediaTime: number): AsyncGenerator<Sample> {
  for await (const piece of readFragments(segment)) {
    if (piece.kind === 'init') continue;
    const media = new ByteReader(piece.media);
    let decode = Number(piece.fragment.decodeTime) - mediaTime;
    for (const sample of piece.fragment.samples) {
      const bytes = await media.read(sample.size);
      if (bytes?.length !== sample.size) throw new Error('a fragment with less than its frames');
      const present = decode + sample.compositionOffset;
      yield { bytes, decode, present, duration: sample.duration, sync: isSync(sample) };
      decode += sample.duration;
    }
    if ((await media.read(1)) !== null) throw new Error('a fragment with more than its frames');
  }
}

async function* accessUnits(samples: AsyncGenerator<Sample>, track: Track): AsyncGenerator<AccessUnits> {
  const { codec, timescale } = track;
  let together: Sample[] = [];
  for await (const sample of samples) {
    together.push(sample);
    if (codec.kind === 'aac' && together.length < FRAMES_TOGETHER) continue;
    yield asUnits(together, codec, timescale);
    together = [];
  }
  if (together.length > 0) yield asUnits(together, codec, timescale);
}

function asUnits(samples: Sample[], codec: Track['codec'], timescale: number): AccessUnits {
  const [first, last] = [samples[0] as Sample, samples.at(-1) as Sample];
  const dts = onClock(first.decode, timescale);
  return {
    pts: onClock(first.present, timescale),
    dts,
    duration: onClock(last.decode + last.duration, timescale) - dts,
    random: first.sync,
    payload: samples.flatMap(({ bytes, sync }) =>
      codec.kind === 'avc' ? toByteStream(bytes, sync, codec) : [adtsHeader(codec, bytes.length), bytes],
    ),
  };
}
