/** Movies that no muxer would write, box by box (ISO/IEC 14496-12). */
export const u32 = (...values: number[]): Buffer => {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, i) => {
    bytes.writeUInt32BE(value, i * 4);
  });
  return bytes;
};

export function box(type: string, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([u32(body.length + 8), Buffer.from(type, 'latin1'), body]);
}

/** With version and flags 0. */
export const full = (type: string, ...parts: Buffer[]): Buffer => box(type, u32(0), ...parts);

export const FRAMES = 8;
export const TABLES = ['stsz', 'stts', 'ctts', 'stsc', 'stco', 'stss'] as const;

export interface Lies {
  /** What a table says it has, whatever it has. */
  counts?: Partial<Record<string, number>>;
  /** All samples have this size, and none is listed. */
  fixedSize?: number;
  stts?: number[][];
  stsc?: number[][];
  timescale?: number;
  /** Frames are shown in the order of decoding, and no table says so. */
  noReordering?: boolean;
}

/** One track of FRAMES frames, ten ticks each, one in each chunk, the first a key frame. */
export function moovOf(lies: Lies = {}): Buffer {
  const table = (type: string, entries: number[][]) =>
    full(type, u32(lies.counts?.[type] ?? entries.length), ...entries.map((entry) => u32(...entry)));
  const each = <T>(make: (i: number) => T) => Array.from({ length: FRAMES }, (_, i) => make(i));
  const stsz = full(
    'stsz',
    u32(lies.fixedSize ?? 0, lies.counts?.stsz ?? FRAMES),
    ...(lies.fixedSize ? [] : each(() => u32(100))),
  );
  const timescale = lies.timescale ?? 250;
  const stbl = box(
    'stbl',
    full('stsd', u32(0)),
    stsz,
    table('stts', lies.stts ?? [[FRAMES, 10]]),
    ...(lies.noReordering ? [] : [table('ctts', [[FRAMES, 0]])]),
    table('stsc', lies.stsc ?? [[1, 1, 1]]),
    table(
      'stco',
      each((i) => [1000 + i * 100]),
    ),
    table('stss', [[1]]),
  );
  return box(
    'moov',
    full('mvhd', u32(0, 0, 1000, 0)),
    box(
      'trak',
      full('tkhd', u32(0, 0, 1, 0)),
      box('mdia', full('mdhd', u32(0, 0, timescale, 0)), box('minf', stbl)),
    ),
  );
}
