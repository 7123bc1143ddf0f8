import type { Readable } from 'node:stream';

export interface PutOptions {
  /** Bytes that the body must have; another length is refused and leaves nothing. */
  size?: number;
  /** Lower-case hex that the body must have; another digest is refused and leaves nothing. */
  sha256?: string;
  /** Nobody needs the body's buffers afterwards: a store may empty them. */
  handedOver?: boolean;
  /** Some bytes that were read before are on their way: who only watches the body would take a slow store for a silent one. */
  onSending?: () => void;
  /** Ends the put with the signal's reason; nothing is left. */
  signal?: AbortSignal;
}

export interface ByteRange {
  /** First byte. */
  start: number;
  /** First byte that is not wanted; the object's end when absent or beyond it. */
  end?: number;
}

export interface StoredObject {
  key: string;
  /** Bytes. */
  size: number;
  modified: Date;
}

/**
 * Immutable objects by key. Keys are ours, never a client's: `a/b/c` of `[A-Za-z0-9._-]` parts that
 * do not begin with a dot. Every driver passes the same contract suite (test/storage).
 *
 * Errors are SluiceErrors: `object_not_found`, `chunk_hash_mismatch`, `chunk_length_mismatch`,
 * `storage_full` (ENOSPC and the like), `range_not_satisfiable`, `unavailable`. An error of the body
 * itself comes out of `put` as it is.
 */
export interface ObjectStore {
  /**
   * Streams the body in; when it resolves the object is whole, verified and durable, and before that
   * nobody sees any of it. Putting a key again replaces the object in one step.
   */
  put(key: string, body: Readable | Buffer, options?: PutOptions): Promise<{ size: number; sha256: string }>;
  /** The caller reads the stream to its end or destroys it. */
  get(key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable>;
  /** The same bytes in order, without a new buffer for each part: `take` has them until it returns. */
  each(key: string, take: (bytes: Buffer) => void, range?: ByteRange): Promise<void>;
  stat(key: string): Promise<StoredObject | null>;
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>;
  /** Everything below `prefix`, which ends in `/`. */
  deletePrefix(prefix: string): Promise<void>;
  /** Everything below `prefix`, which ends in `/` or is empty; in no particular order, never all in memory. */
  list(prefix: string): AsyncIterable<StoredObject>;
  /** Removes what puts of killed processes left unfinished before `olderThan`; answers with how many. */
  sweepUnfinished(olderThan: Date): Promise<number>;
  /** Throws when the store cannot be written to. */
  check(): Promise<void>;
}
