import { Inject, Injectable } from '@nestjs/common';
import {
  SCRATCH_TS_QUERY,
  type SegmentFormat,
  type SegmentPayload,
  SluiceError,
  scratchPath,
} from '#contracts';
import { type ServiceContext, signedHeaders } from '#http';
import { traceparent } from '#observability';
import { CONTEXT } from '../tokens.js';

/** Why a worker's segment is not taken; it travels as `?refused=` with the request that drops the copy. */
export type Refusal = 'init_mismatch' | 'checksum_mismatch' | 'bad_magic' | 'ts_missing';

const RELEASE_TIMEOUT_MS = 10_000;

/** Speaks to the scratch of a transcode worker; every request is signed. */
@Injectable()
export class WorkerClient {
  constructor(@Inject(CONTEXT) private readonly context: ServiceContext) {}

  /** The bytes, or null when the worker no longer has them. Throws `unavailable` when it does not answer. */
  async fetch(
    address: string,
    segment: SegmentPayload,
    format: SegmentFormat,
    signal: AbortSignal,
  ): Promise<AsyncIterable<Uint8Array> | null> {
    const path = pathOf(segment) + (format === 'ts' ? SCRATCH_TS_QUERY : '');
    const response = await this.request('GET', address, path, signal);
    if (response.ok && response.body) return response.body;
    await response.body?.cancel();
    if (response.status === 404) return null;
    throw new SluiceError(
      'unavailable',
      `The worker answered with status ${response.status}; the segment is asked for again.`,
    );
  }

  /** The worker may drop its copy. A worker that does not hear of it announces the segment again. */
  async release(address: string, segment: SegmentPayload, refused?: Refusal): Promise<void> {
    const path = pathOf(segment) + (refused === undefined ? '' : `?refused=${refused}`);
    try {
      const response = await this.request('DELETE', address, path, AbortSignal.timeout(RELEASE_TIMEOUT_MS));
      await response.body?.cancel();
    } catch (error) {
      this.context.logger.debug({ err: error, path }, 'the worker was not told');
    }
  }

  private async request(
    method: string,
    address: string,
    path: string,
    signal: AbortSignal,
  ): Promise<Response> {
    const trace = traceparent();
    const headers = {
      ...signedHeaders(this.context.environment.INTERNAL_SECRET, method, path),
      ...(trace === undefined ? {} : { traceparent: trace }),
    };
    try {
      return await fetch(address + path, { method, headers, signal, redirect: 'error' });
    } catch (error) {
      signal.throwIfAborted();
      throw new SluiceError('unavailable', 'The worker cannot be reached; the segment is asked for again.', {
        cause: error,
      });
    }
  }
}

const pathOf = ({ spanId, lease, rendition, index }: SegmentPayload) =>
  scratchPath(spanId, lease, rendition, index);
