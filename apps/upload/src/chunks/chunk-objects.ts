import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { Inject, Injectable } from '@nestjs/common';
import { chunkKey, SluiceError } from '#contracts';
import type { ObjectStore } from '#storage';
import { STORE } from '../settings.js';
import { headOf, incomplete } from './body.js';
import { countLoss } from './chunk-counts.js';

/** Bytes that are stored and durable, and that no row names yet. */
export interface ChunkObject {
  key: string;
  /** Bytes. */
  size: number;
  sha256: string;
  /** Its first bytes, for sniffing. */
  head: Buffer;
}

/** Every attempt to send a chunk gets an object of its own: a bad one can not touch what was confirmed. */
@Injectable()
export class ChunkObjects {
  constructor(@Inject(STORE) private readonly store: ObjectStore) {}

  /** Throws `chunk_hash_mismatch`, `chunk_incomplete`, `storage_full` and leaves nothing then. */
  async put(
    sessionId: string,
    offset: number,
    bytes: AsyncIterable<Buffer>,
    expected: { size?: number; sha256?: string } = {},
  ): Promise<ChunkObject> {
    const key = attemptKey(sessionId, offset);
    const body = bytes instanceof Readable ? bytes : Readable.from(bytes, { objectMode: false });
    const head = headOf(body);
    try {
      const stored = await this.store.put(key, body, { ...expected, handedOver: true });
      return { key, ...stored, head: head() };
    } catch (error) {
      // A body that is longer than its Content-Length can not happen; a shorter one was cut off.
      const short = error instanceof SluiceError && error.code === 'chunk_length_mismatch';
      const reason = short ? incomplete(error) : error;
      countLoss(reason);
      throw reason;
    }
  }

  /** To another session's folder: its chunk came before the field that says whose it is. */
  async move(object: ChunkObject, sessionId: string, offset: number): Promise<ChunkObject> {
    const key = attemptKey(sessionId, offset);
    await this.store.put(key, await this.store.get(object.key), { size: object.size, sha256: object.sha256 });
    await this.store.delete(object.key);
    return { ...object, key };
  }

  async delete(object: ChunkObject): Promise<void> {
    await this.store.delete(object.key);
  }
}

const attemptKey = (sessionId: string, offset: number) =>
  chunkKey(sessionId, offset, randomBytes(6).toString('hex'));
