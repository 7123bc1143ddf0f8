const [NAL_IDR, NAL_SEI, NAL_AUD, NAL_FILLER] = [5, 6, 9, 12];
const MOST_LEADING_NALS = 16;

/**
 * Whether an `avc1` sample of `size` bytes is an IDR picture: its first slice decides; only SEI, AUD and
 * filler may come before it, since the parameter sets are in `avcC` (ISO/IEC 14496-10 7.4.1.2.4).
 * `read`: bytes of the sample, fewer where it ends.
 */
export async function isIdr(
  size: number,
  lengthSize: number,
  read: (start: number, end: number) => Promise<Buffer> | Buffer,
): Promise<boolean> {
  let at = 0;
  for (let n = 0; n < MOST_LEADING_NALS && at + lengthSize < size; n++) {
    const header = await read(at, at + lengthSize + 1);
    if (header.length <= lengthSize) return false;
    const type = (header[lengthSize] as number) & 0x1f;
    if (type === NAL_IDR) return true;
    if (type !== NAL_SEI && type !== NAL_AUD && type !== NAL_FILLER) return false;
    at += lengthSize + header.readUIntBE(0, lengthSize);
  }
  return false;
}

/** Bytes of the length before each NAL unit, from the body of `avcC` (ISO/IEC 14496-15 5.3.3.1). */
export const nalLengthSize = (avcC: Buffer): number => ((avcC[4] ?? 3) & 3) + 1;
