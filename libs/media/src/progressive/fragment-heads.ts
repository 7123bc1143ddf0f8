import { parseFragment } from '../isobmff/fragment.js';
import type { StoredFragment } from './movie.js';

/** Holds the `moof` of four seconds at 60 frames a second twice over; a larger one is read in two. */
const HEAD_BYTES = 16 * 1024;
/** An index is a few bytes a frame; more than this is not ours. */
const LARGEST_HEADER = 4 * 1024 * 1024;

/**
 * The fragments of a segment of `size` bytes, of which only what stands before the media is read.
 * `read`: bytes `[start, end)` of it.
 */
export async function readFragmentHeads(
  size: number,
  read: (start: number, end: number) => Promise<Buffer>,
): Promise<StoredFragment[]> {
  let held: Buffer = Buffer.alloc(0);
  let heldFrom = 0;
  const bytes = async (start: number, length: number) => {
    if (start < heldFrom || start + length > heldFrom + held.length) {
      const end = Math.min(size, start + Math.max(length, HEAD_BYTES));
      if (length > LARGEST_HEADER || start + length > end)
        throw new RangeError('a segment ends inside a box');
      held = await read(start, end);
      heldFrom = start;
      if (held.length !== end - start) throw new RangeError('a segment is shorter than it was');
    }
    return held.subarray(start - heldFrom, start - heldFrom + length);
  };
  const found: StoredFragment[] = [];
  let moof: Buffer | null = null;
  for (let at = 0; at < size; ) {
    const header = await bytes(at, 8);
    const type = header.toString('latin1', 4, 8);
    const short = header.readUInt32BE(0);
    const isLong = short === 1;
    const length = isLong ? Number((await bytes(at + 8, 8)).readBigUInt64BE()) : short;
    const own = isLong ? 16 : 8;
    if (length < own || at + length > size) throw new RangeError(`a ${type} box of ${length} bytes`);
    if (type === 'moof') moof = Buffer.from(await bytes(at, length));
    if (type === 'mdat') {
      if (!moof) throw new RangeError('mdat without moof');
      found.push({ fragment: parseFragment(moof), mediaSize: length - own });
      moof = null;
    }
    at += length;
  }
  return found;
}
