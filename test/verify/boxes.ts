/**
 * A reader of fragmented MP4 that shares nothing with the product's own (ISO/IEC 14496-12 and -15):
 * what writes the segments must not be what judges them.
 */
export interface Box {
  type: string;
  /** Where the box begins in the bytes that were read. */
  start: number;
  /** What is inside, the header taken off. */
  body: Buffer;
}

export class BrokenBoxes extends Error {}

export function boxes(bytes: Buffer, base = 0): Box[] {
  const found: Box[] = [];
  let at = 0;
  while (at < bytes.length) {
    if (at + 8 > bytes.length)
      throw new BrokenBoxes(`${bytes.length - at} bytes are left after the last box`);
    let size = bytes.readUInt32BE(at);
    const type = bytes.toString('latin1', at + 4, at + 8);
    let header = 8;
    if (size === 1) {
      size = Number(bytes.readBigUInt64BE(at + 8));
      header = 16;
    }
    if (size < header || at + size > bytes.length) {
      throw new BrokenBoxes(
        `box '${type}' at ${base + at} says ${size} bytes, ${bytes.length - at} are there`,
      );
    }
    found.push({ type, start: base + at, body: bytes.subarray(at + header, at + size) });
    at += size;
  }
  return found;
}

/** The box at the end of `path`, e.g. `moov/trak/mdia`; the first where there are several. */
export function find(bytes: Buffer, path: string): Buffer | undefined {
  let inside: Buffer | undefined = bytes;
  for (const type of path.split('/')) {
    inside = inside && boxes(inside).find((box) => box.type === type)?.body;
  }
  return inside;
}

export function must(bytes: Buffer, path: string): Buffer {
  const found = find(bytes, path);
  if (!found) throw new BrokenBoxes(`there is no ${path}`);
  return found;
}

export const version = (fullBox: Buffer): number => fullBox.readUInt8(0);
export const flags = (fullBox: Buffer): number => fullBox.readUIntBE(1, 3);
