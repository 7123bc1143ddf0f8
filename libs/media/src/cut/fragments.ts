import { type Fragment, parseFragment } from '../isobmff/fragment.js';
import { ByteReader } from './byte-reader.js';

export type Piece =
  | { kind: 'init'; bytes: Buffer }
  /** `media` must be read to its end before the next piece is asked for. */
  | { kind: 'fragment'; fragment: Fragment; mediaSize: number; media: AsyncGenerator<Buffer> };

/** An index is a few bytes a frame; more than this is not ours. */
const LARGEST_HEADER = 4 * 1024 * 1024;

/**
 * Reads fragmented MP4 as the muxer writes it: `ftyp moov`, then `moof mdat` again and again
 * (ISO/IEC 14496-12). A fragment is known complete when the last byte of its `mdat` has been read.
 */
export async function* readFragments(stream: AsyncIterable<Buffer>): AsyncGenerator<Piece> {
  const reader = new ByteReader(stream);
  const init: Buffer[] = [];
  let fragment: Fragment | null = null;
  for (;;) {
    const header = await reader.read(8);
    if (!header) break;
    const type = header.toString('latin1', 4, 8);
    let size = header.readUInt32BE(0) - 8;
    if (size === -7) size = Number(((await reader.read(8)) as Buffer).readBigUInt64BE(0)) - 16;
    if (type === 'mdat') {
      if (!fragment) throw new Error('mdat without moof');
      yield { kind: 'fragment', fragment, mediaSize: size, media: reader.stream(size) };
      fragment = null;
      continue;
    }
    if (size < 0 || size > LARGEST_HEADER) throw new Error(`a ${type} box of ${size} bytes`);
    const body = size === 0 ? Buffer.alloc(0) : ((await reader.read(size)) as Buffer);
    const box = Buffer.concat([header, body]);
    if (type === 'moof') fragment = parseFragment(box);
    else if (type === 'ftyp') init.push(box);
    else if (type === 'moov') yield { kind: 'init', bytes: Buffer.concat([...init.splice(0), box]) };
    // styp, sidx, free, mfra: nothing that a segment of ours needs
  }
  if (fragment) throw new Error('moof without mdat');
}
