import type { Readable } from 'node:stream';
import { requireBox } from '../isobmff/boxes.js';
import { withEditList } from '../isobmff/edit-list.js';
import { durationOf, type Fragment, type FragmentSample, isSync, stamp } from '../isobmff/fragment.js';
import { isIdr, nalLengthSize } from '../isobmff/idr.js';
import { readAvcC } from '../isobmff/index-reader.js';
import { readFragments } from './fragments.js';
import { CopyUnfit, EndedEarly, NotAsPlanned, type SegmentSink } from './sink.js';

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

/** Enough for what may come before the first slice of a picture. */
const LEADING_BYTES = 4096;

/**
 * Cuts a video rendition into its planned segments. Each must begin with a sync sample and have exactly
 * the frames of the plan; its decode time is then the plan's (first frame × ticks of a frame), so spans
 * that were encoded apart run on without gap or overlap. Anything else is an error: never a guess.
 *
 * B-frames are shown later than they are decoded. Composition offsets stay as the encoder gave them, none
 * is negative, and an edit list in the init segment takes the constant delay off again. Negative offsets
 * would say the same without one, but ffmpeg's demuxer then moves all later frames as soon as it meets a
 * larger one (docs/adr/0006).
 */
export async function cutVideo(stream: Readable, cut: VideoCut, sink: SegmentSink): Promise<void> {
  const start = cut.borders[0] as number;
  let position = 0;
  let frame = start - cut.skipFrames;
  let open = false;
  let init: Buffer | null = null;
  let delay: number | null = null;
  for await (const piece of readFragments(stream)) {
    if (piece.kind === 'init') {
      init = piece.bytes;
      continue;
    }
    const { fragment, media, mediaSize } = piece;
    const index = cut.firstSegment + position;
    const end = cut.borders[position + 1];
    if (end === undefined) throw new NotAsPlanned(`frames after the planned end ${cut.borders.at(-1)}`);
    const frames = fragment.samples.length;
    // Before anything is handed on: an encoder that is told to stop flushes what it has, with other delays.
    if (frame + frames > end || (frame + frames < end && cut.fragments === 'one')) {
      throw new NotAsPlanned(`segment ${index} ends at frame ${frame + frames}, planned is ${end}`);
    }
    const first = firstOf(fragment, index, open);
    if (delay === null) {
      if (!init) throw new NotAsPlanned('a fragment before the init segment');
      delay = first.compositionOffset;
      await sink.init(withEditList(init, delay));
    } else if (isSync(first) && first.compositionOffset !== delay) {
      throw new NotAsPlanned(
        `segment ${index} is delayed by ${first.compositionOffset} ticks, those before by ${delay}`,
      );
    }
    if (durationOf(fragment.samples) !== frames * cut.frameTicks)
      throw new NotAsPlanned('frames of uneven duration');
    if (frame < start) {
      for await (const _ of media);
      frame += frames;
      continue;
    }
    if (!open) await sink.begin(index);
    open = true;
    stamp(fragment, index + 1, BigInt(frame) * BigInt(cut.frameTicks));
    await sink.write(fragment.moof);
    await sink.write(mdatHeader(mediaSize));
    if (cut.fragments === 'many') await requireIdr(media, init, first.size, sink);
    for await (const part of media) await sink.write(part);
    frame += frames;
    if (frame === end) {
      const begin = cut.borders[position] as number;
      await sink.end({ start: begin * cut.frameTicks, duration: (end - begin) * cut.frameTicks });
      open = false;
      position++;
    }
  }
  if (position !== cut.borders.length - 1) {
    throw new EndedEarly(`the encoder ended at frame ${frame}, planned is ${cut.borders.at(-1)}`);
  }
}

/** Of a copied rung: what was not there yet when it was planned is looked at as it comes by. */
async function requireIdr(
  media: AsyncGenerator<Buffer>,
  init: Buffer | null,
  size: number,
  sink: SegmentSink,
): Promise<void> {
  const avcC = init && readAvcC(init, requireBox(init, 'moov/trak/mdia/minf/stbl/stsd'));
  if (!avcC) throw new CopyUnfit('a source without its parameter sets');
  const head: Buffer[] = [];
  for (let length = 0; length < Math.min(size, LEADING_BYTES); length += head.at(-1)?.length ?? 0) {
    const next = await media.next();
    if (next.done) break;
    head.push(next.value);
  }
  const bytes = Buffer.concat(head);
  const fits = await isIdr(size, nalLengthSize(avcC), (start, end) => bytes.subarray(start, end));
  if (!fits) throw new CopyUnfit('a sync sample that is not an IDR picture');
  await sink.write(bytes);
}

function firstOf(fragment: Fragment, index: number, open: boolean): FragmentSample {
  const first = fragment.samples[0];
  if (!first) throw new NotAsPlanned('a fragment without frames');
  if (!open && !isSync(first)) throw new NotAsPlanned(`segment ${index} does not begin with a key frame`);
  if (fragment.samples.some((sample) => sample.compositionOffset < 0))
    throw new NotAsPlanned('a frame that is shown before it is decoded');
  return first;
}

export function mdatHeader(mediaSize: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt32BE(mediaSize + 8, 0);
  header.write('mdat', 4, 'latin1');
  return header;
}
