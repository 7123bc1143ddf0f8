import { SluiceError } from '#contracts';
import { fileTooLarge } from '../files/refusals.js';
import type { SessionRow } from '../sessions/session-row.js';
import type { ChunkRow } from './chunks.repository.js';

/**
 * Where the last chunk of an indexed upload waits while the size of the others is not known: beyond
 * any real offset, within what a number can hold.
 */
export const PROVISIONAL_OFFSET = 2 ** 52;

export interface IndexedChunk {
  index: number;
  /** Null when only the session knows it. */
  total: number | null;
  /** Bytes. */
  size: number;
}

export interface IndexedPlace {
  offset: number;
  total: number;
  /** What this chunk teaches about the upload; null when nothing. */
  chunkSize: number | null;
  fileSize: number | null;
  /** The last chunk can now go from its provisional place to this one. */
  moveLastTo: number | null;
}

type Known = Pick<SessionRow, 'fileSize' | 'totalChunks' | 'chunkSize'>;

/**
 * `index × chunk size`, where all chunks but the last are equal (S3-01). `last` is the last chunk's
 * row when it has come already. Throws `validation_failed`, `chunk_out_of_range`,
 * `chunk_length_mismatch` or `file_too_large`.
 */
export function placeByIndex(
  known: Known,
  chunk: IndexedChunk,
  last: Pick<ChunkRow, 'size'> | null,
  maxFileSize: number,
): IndexedPlace {
  const total = totalOf(known, chunk);
  const place =
    chunk.index === total - 1 ? placeLast(known, chunk.size, total) : placeInner(known, chunk, total, last);
  const least = place.fileSize ?? (chunk.index === total - 1 ? chunk.size : (total - 1) * chunk.size + 1);
  if (least > maxFileSize) throw fileTooLarge(maxFileSize);
  if (known.fileSize !== null && place.fileSize !== null && place.fileSize !== known.fileSize)
    throw unequal();
  return { ...place, total };
}

function totalOf(known: Known, chunk: IndexedChunk): number {
  const total = known.totalChunks ?? chunk.total;
  if (total === null)
    throw new SluiceError('validation_failed', 'total_chunks is missing; send it with every chunk.');
  if (chunk.total !== null && chunk.total !== total) {
    throw new SluiceError(
      'validation_failed',
      `This upload has ${total} chunks; send the same total_chunks every time.`,
    );
  }
  if (chunk.index >= total) {
    throw new SluiceError(
      'chunk_out_of_range',
      `chunk_index counts from 0 to ${total - 1} here; send one of these.`,
    );
  }
  return total;
}

function placeLast(known: Known, size: number, total: number): Omit<IndexedPlace, 'total'> {
  const place = { chunkSize: null, moveLastTo: null };
  if (total === 1) return { ...place, offset: 0, fileSize: size };
  if (known.chunkSize !== null) {
    if (size > known.chunkSize) throw unequal();
    const offset = (total - 1) * known.chunkSize;
    return { ...place, offset, fileSize: offset + size };
  }
  if (known.fileSize === null) return { ...place, offset: PROVISIONAL_OFFSET, fileSize: null };
  if (size >= known.fileSize) throw unequal();
  return { ...place, offset: known.fileSize - size, fileSize: known.fileSize };
}

function placeInner(
  known: Known,
  { index, size }: IndexedChunk,
  total: number,
  last: Pick<ChunkRow, 'size'> | null,
): Omit<IndexedPlace, 'total'> {
  if (known.chunkSize !== null && known.chunkSize !== size) throw unequal();
  if (last && last.size > size) throw unequal();
  const lastOffset = (total - 1) * size;
  if (known.fileSize !== null && (known.fileSize <= lastOffset || known.fileSize > lastOffset + size))
    throw unequal();
  return {
    offset: index * size,
    chunkSize: size,
    fileSize: last ? lastOffset + last.size : null,
    moveLastTo: last && known.chunkSize === null ? lastOffset : null,
  };
}

const unequal = () =>
  new SluiceError(
    'chunk_length_mismatch',
    'All chunks but the last must have the same size, and the last at most that; cut the file into equal chunks.',
  );

/** The same bytes at the same place, or null where there is room. Throws `chunk_conflict` or `chunk_overlaps`. */
export function findSame(
  rows: ChunkRow[],
  chunk: { offset: number; size: number; sha256: string },
): ChunkRow | null {
  const [first] = rows;
  if (!first) return null;
  if (first.offset !== chunk.offset) refuseOverlaps(rows);
  return sameOrConflict(first, chunk);
}

export function refuseOverlaps(rows: ChunkRow[]): void {
  if (rows.length === 0) return;
  throw new SluiceError(
    'chunk_overlaps',
    'Some of these bytes have been confirmed already; ask for the missing ranges.',
    {
      details: { confirmed: rows.map((row) => [row.offset, row.offset + row.size]) },
    },
  );
}

export function sameOrConflict(row: ChunkRow, chunk: { size: number; sha256: string }): ChunkRow {
  if (row.size === chunk.size && row.hash === chunk.sha256) return row;
  throw new SluiceError(
    'chunk_conflict',
    'Other bytes have been confirmed at this place; cancel and start over if the file has changed.',
    { details: { offset: row.offset, length: row.size, sha256: row.hash } },
  );
}
