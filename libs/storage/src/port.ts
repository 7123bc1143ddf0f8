import type { Readable } from 'node:stream';

export interface PutOptions {
  /** Bytes that the body must have; another length is refused and leaves nothing. */
  size?: number;
  /** Lower-case hex that the body must have; another digest is refused and leaves nothing. */
  sha256?: string;
  signal?: AbortSignal;
}

export interface ByteRange {
  /** First byte. */
  start: number;
  /** First byte that is not wanted; the object's end when absent. */
  end?: number;
}

export interface StoredObject {
  key: string;
  /** Bytes. */
  size: number;
  modified: Date;
}

/**
 * Immutable objects by key. Keys are ours, never a client's: `a/b/c` of `[A-Za-z0-9._-]` parts.
 * Every driver passes the same contract suite (test/storage).
 *
 * Errors are SluiceErrors: `object_not_found`, `chunk_hash_mismatch`, `chunk_length_mismatch`,
 * `storage_full` (ENOSPC and the like), `range_not_satisfiable`, `unavailable`.
 */
export interface ObjectStore {
  /** Streams the body in; when it resolves the object is whole, verified and durable. */
  put(key: string, body: Readable | Buffer, options?: PutOptions): Promise<{ size: number; sha256: string }>;
  get(key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable>;
  stat(key: string): Promise<StoredObject | null>;
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>;
  /** Everything below `prefix`, which ends in `/`. */
  deletePrefix(prefix: string): Promise<void>;
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Throws when the store cannot be written to. */
  check(): Promise<void>;
}
