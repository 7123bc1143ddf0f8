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
 * `read`: these objects come next in the file, whose first `position` bytes have been read; at 0 it
 * begins anew. `finish`: the digest of what has been read, and of its edges, whose end is `tail`
 * (null: nobody wants it). `drop`: forget the file.
 */
export type DigestOrder = { session: string } & (
  | { do: 'read'; position: number; keys: string[] }
  | { do: 'finish'; tail: Piece[] | null }
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
