import type { Readable } from 'node:stream';
import { buildAudioMoof } from '../isobmff/fragment.js';
import { readFragments } from './fragments.js';
import { EndedEarly, type SegmentSink } from './sink.js';
import { mdatHeader } from './video-cutter.js';

export interface AudioCut {
  firstSegment: number;
  /** In frames of the codec; the last is the end. `borders[0]` is the first frame that comes out. */
  borders: number[];
  /** Samples of one frame: ticks, too, since the timescale is the sample rate. */
  frameTicks: number;
  /** Frames that come out before `borders[0]`: the encoder's priming, and what a run begins with. */
  dropFrames: number;
}

/**
 * Cuts an audio rendition by counting frames: the muxer's decode times begin with whatever came out first,
 * and are written anew, sample-exact. One segment of audio (a few ten KB) is held in memory.
 */
export async function cutAudio(stream: Readable, cut: AudioCut, sink: SegmentSink): Promise<void> {
  const start = cut.borders[0] as number;
  const end = cut.borders.at(-1) as number;
  let position = 0;
  let frame = start - cut.dropFrames;
  let pending: Buffer[] = [];

  const flush = async () => {
    const [from, to] = [cut.borders[position] as number, cut.borders[position + 1] as number];
    const index = cut.firstSegment + position;
    const sizes = pending.map((sample) => sample.length);
    await sink.begin(index);
    await sink.write(buildAudioMoof(index + 1, BigInt(from) * BigInt(cut.frameTicks), cut.frameTicks, sizes));
    await sink.write(mdatHeader(sizes.reduce((sum, size) => sum + size, 0)));
    await sink.write(Buffer.concat(pending));
    await sink.end({ start: from * cut.frameTicks, duration: (to - from) * cut.frameTicks });
    pending = [];
    position++;
  };

  for await (const piece of readFragments(stream)) {
    if (piece.kind === 'init') {
      await sink.init(piece.bytes);
      continue;
    }
    const parts: Buffer[] = [];
    for await (const part of piece.media) parts.push(part);
    const media = Buffer.concat(parts);
    let at = 0;
    for (const sample of piece.fragment.samples) {
      const bytes = media.subarray(at, at + sample.size);
      at += sample.size;
      if (frame >= start && frame < end) pending.push(bytes);
      frame++;
      if (frame === cut.borders[position + 1]) await flush();
    }
  }
  if (position !== cut.borders.length - 1)
    throw new EndedEarly(`the audio ended at frame ${frame}, planned is ${end}`);
}
