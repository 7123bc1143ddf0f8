import type { Readable } from 'node:stream';
import { durationOf, isSync, stamp } from '../isobmff/fragment.js';
import { readFragments } from './fragments.js';
import { EndedEarly, type SegmentSink } from './sink.js';

export interface VideoCut {
  /** Index of the first segment that comes out, and where it and all after it begin, in frames; the last is the end. */
  firstSegment: number;
  borders: number[];
  frameTicks: number;
  /** An encoder gives one fragment a segment; a copied rung one for each GOP. */
  fragments: 'one' | 'many';
  /** Frames that come before `borders[0]` and are dropped: a copied rung always runs from the source's start. */
  skipFrames: number;
}

/**
 * Cuts a video rendition into its planned segments. Each must begin with a sync sample and have exactly
 * the frames of the plan; its decode time is then the plan's (first frame × ticks of a frame), so spans
 * that were encoded apart run on without gap or overlap. Anything else is an error: never a guess.
 */
export async function cutVideo(stream: Readable, cut: VideoCut, sink: SegmentSink): Promise<void> {
  let position = 0;
  let frame = (cut.borders[0] as number) - cut.skipFrames;
  let open = false;
  for await (const piece of readFragments(stream)) {
    if (piece.kind === 'init') {
      await sink.init(piece.bytes);
      continue;
    }
    const { fragment, media, mediaSize } = piece;
    if (frame < (cut.borders[0] as number)) {
      for await (const _ of media);
      frame += fragment.samples.length;
      continue;
    }
    const end = cut.borders[position + 1];
    if (end === undefined) throw new Error(`frames after the planned end ${cut.borders.at(-1)}`);
    if (!open) {
      const first = fragment.samples[0];
      if (!first || !isSync(first))
        throw new Error(`segment ${cut.firstSegment + position} does not begin with a key frame`);
      await sink.begin(cut.firstSegment + position);
      open = true;
    }
    const ticks = fragment.samples.length * cut.frameTicks;
    if (durationOf(fragment.samples) !== ticks) throw new Error('frames of uneven duration');
    stamp(fragment, cut.firstSegment + position + 1, BigInt(frame) * BigInt(cut.frameTicks));
    await sink.write(fragment.moof);
    await sink.write(mdatHeader(mediaSize));
    for await (const part of media) await sink.write(part);
    frame += fragment.samples.length;
    if (frame > end || (frame < end && cut.fragments === 'one')) {
      throw new Error(`segment ${cut.firstSegment + position} ends at frame ${frame}, planned is ${end}`);
    }
    if (frame === end) {
      const start = cut.borders[position] as number;
      await sink.end({ start: start * cut.frameTicks, duration: (end - start) * cut.frameTicks });
      open = false;
      position++;
    }
  }
  if (position !== cut.borders.length - 1) {
    throw new EndedEarly(`the encoder ended at frame ${frame}, planned is ${cut.borders.at(-1)}`);
  }
}

export function mdatHeader(mediaSize: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(mediaSize + 8, 0);
  header.write('mdat', 4, 'latin1');
  return header;
}
