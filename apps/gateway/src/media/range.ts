/** First byte and first byte that is not wanted. */
export interface Bytes {
  start: number;
  end: number;
}

/**
 * A single `Range` of RFC 9110, section 14. Null: send the whole (no range, several, or another unit,
 * which a server may ignore). `unsatisfiable`: 416.
 */
export function parseRange(header: string | undefined, size: number): Bytes | null | 'unsatisfiable' {
  const match = /^bytes=(\d{0,16})-(\d{0,16})$/.exec(header?.trim() ?? '');
  if (!match) return null;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return null;
  if (first === '') {
    const length = Math.min(Number(last), size);
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== '' && Number(last) < start) return null;
  if (start >= size) return 'unsatisfiable';
  return { start, end: last === '' ? size : Math.min(Number(last) + 1, size) };
}
