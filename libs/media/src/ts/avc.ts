import { nalLengthSize } from '../isobmff/idr.js';

const START = Buffer.from([0, 0, 0, 1]);
/** An access unit delimiter that allows every kind of slice; ISO/IEC 13818-1 2.14.1 wants one before each picture. */
const DELIMITER = Buffer.from([0, 0, 0, 1, 9, 0xf0]);
const NAL_DELIMITER = 9;

export interface AvcConfig {
  lengthSize: number;
  /** Parameter sets, each behind a start code. */
  parameterSets: Buffer[];
}

/** From the body of `avcC` (ISO/IEC 14496-15 5.3.3.1). */
export function readAvcConfig(avcC: Buffer): AvcConfig {
  const parameterSets: Buffer[] = [];
  let at = 5;
  for (const mask of [0x1f, 0xff]) {
    const count = (avcC[at++] as number) & mask;
    for (let n = 0; n < count; n++) {
      const size = avcC.readUInt16BE(at);
      parameterSets.push(START, avcC.subarray(at + 2, at + 2 + size));
      at += 2 + size;
    }
  }
  return { lengthSize: nalLengthSize(avcC), parameterSets };
}

/** A picture as a byte stream (ISO/IEC 14496-10 annex B): what can be begun with carries its parameter sets. */
export function toByteStream(sample: Buffer, sync: boolean, config: AvcConfig): Buffer[] {
  const parts = [DELIMITER, ...(sync ? config.parameterSets : [])];
  const { lengthSize } = config;
  for (let at = 0; at < sample.length; ) {
    const start = at + lengthSize;
    const end = start > sample.length ? start : start + sample.readUIntBE(at, lengthSize);
    if (end > sample.length) throw new Error('a NAL unit that is longer than its picture');
    if (end > start && ((sample[start] as number) & 0x1f) !== NAL_DELIMITER)
      parts.push(START, sample.subarray(start, end));
    at = end;
  }
  return parts;
}
