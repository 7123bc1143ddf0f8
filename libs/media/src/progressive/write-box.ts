/** Bytes of a box that are not joined before they are written: tables of a long film have megabytes. */
export type Parts = Buffer[];

export const sizeOf = (parts: Parts): number => parts.reduce((sum, part) => sum + part.length, 0);

/** A box of what it holds (ISO/IEC 14496-12 4.2). */
export function box(type: string, ...content: (Buffer | Parts)[]): Parts {
  const parts = content.flat();
  const header = Buffer.alloc(8);
  header.writeUInt32BE(sizeOf(parts) + 8, 0);
  header.write(type, 4, 'latin1');
  return [header, ...parts];
}

export const fullBox = (
  type: string,
  version: number,
  flags: number,
  ...content: (Buffer | Parts)[]
): Parts => box(type, u32(version * 2 ** 24 + flags), ...content);

export function u32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value >>> 0, i * 4);
  });
  return bytes;
}

export function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}
