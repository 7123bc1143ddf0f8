import type { ErrorCode } from '#contracts';
import type { StorageEnvironment } from '#storage';

export interface DigestWorkerData {
  storage: StorageEnvironment;
}

/** A part of an object, `[start, end)`. */
export interface Piece {
  key: string;
  start: number;
  end: number;
}

/**
 * `read`: these objects come next in the file, whose first `position` bytes have been read. `finish`:
 * the digest of these bytes, and of their edges, whose end is `tail` (null: nobody wants it). `drop`:
 * forget the file. `file` is never used again: what comes late from an attempt that was given up
 * must not reach the next one on the same upload.
 */
export type DigestOrder = { file: number } & (
  | { do: 'read'; position: number; keys: string[] }
  | { do: 'finish'; position: number; tail: Piece[] | null }
  | { do: 'drop' }
);

export type DigestAnswer =
  | { position: number }
  | { sha256: string; edges: string | null }
  | { code: ErrorCode; message: string };

export interface Numbered<T> {
  number: number;
  content: T;
}
