import { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { kindOfRendition, type SegmentPayload, SluiceError } from '#contracts';
import type { ObjectStore } from '#storage';
import { STORE } from '../tokens.js';
import { withMagicChecked } from './magic.js';
import type { SegmentObject } from './segment-objects.js';
import { WorkerClient } from './worker-client.js';

/** S0-14 */
const ATTEMPTS = 3;
const ATTEMPT_TIMEOUT_MS = 60_000;
const FIRST_BACKOFF_MS = 250;

/** Streams a segment from a worker's scratch into the store. */
@Injectable()
export class SegmentTransfer {
  constructor(
    @Inject(WorkerClient) private readonly workers: WorkerClient,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  /**
   * True when the object is stored under its key, with the announced size and SHA-256; false when the
   * worker no longer has it. Throws `segment_bad_magic`, `segment_checksum_mismatch`, `unavailable`,
   * `storage_full`; then nothing is stored.
   */
  async run(
    address: string,
    segment: SegmentPayload,
    object: SegmentObject,
    signal: AbortSignal,
  ): Promise<boolean> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.once(address, segment, object, signal);
      } catch (error) {
        const again = !(error instanceof SluiceError) || error.retryable;
        if (!again || attempt === ATTEMPTS || signal.aborted) throw error;
        await delay(FIRST_BACKOFF_MS * 2 ** (attempt - 1) * (0.75 + Math.random() / 2), undefined, {
          signal,
        });
      }
    }
  }

  private async once(
    address: string,
    segment: SegmentPayload,
    { format, key, size, sha256 }: SegmentObject,
    signal: AbortSignal,
  ): Promise<boolean> {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(ATTEMPT_TIMEOUT_MS)]);
    const body = await this.workers.fetch(address, segment, format, limited);
    if (body === null) return false;
    try {
      const bytes = Readable.from(withMagicChecked(body, kindOfRendition(segment.rendition), format), {
        objectMode: false,
      });
      await this.store.put(key, bytes, { size, sha256, signal: limited });
      return true;
    } catch (error) {
      throw isMismatch(error) ? checksumMismatch(error) : error;
    }
  }
}

const isMismatch = (error: unknown) =>
  error instanceof SluiceError && ['chunk_hash_mismatch', 'chunk_length_mismatch'].includes(error.code);

const checksumMismatch = (cause: unknown) =>
  new SluiceError(
    'segment_checksum_mismatch',
    'The segment that came is not the one that was announced; encode it again.',
    { cause },
  );
