import type { ErrorCode } from '#contracts';
import type { StorageEnvironment } from '#storage';

export interface DigestWorkerData {
  storage: StorageEnvironment;
}

/** Objects to read next, in order; null asks for the digest of all since the last one. */
export interface DigestOrder {
  keys: string[] | null;
}

export type DigestAnswer = { read: number } | { sha256: string } | { code: ErrorCode; message: string };
