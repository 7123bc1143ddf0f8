import { Inject, Injectable } from '@nestjs/common';
import { type SegmentPayload, SluiceError } from '#contracts';
import type { ServiceContext } from '#http';
import { count } from '#observability';
import type { Handler } from '#queue';
import type { Resources } from '../resources.js';
import { CONTEXT, RESOURCES } from '../tokens.js';
import { objectsOf, type SegmentObject } from './segment-objects.js';
import { type Outcome, SegmentRecorder } from './segment-recorder.js';
import { decide, SegmentRows, type SegmentState } from './segment-rows.js';
import { SegmentTransfer } from './segment-transfer.js';
import { type Refusal, WorkerClient } from './worker-client.js';

/** Announced → fetched, verified, stored → row → confirmed. Killed between any two, the entry runs again to the same end. */
@Injectable()
export class SegmentProcessor {
  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(RESOURCES) private readonly resources: Resources,
    @Inject(SegmentRows) private readonly rows: SegmentRows,
    @Inject(SegmentTransfer) private readonly transfer: SegmentTransfer,
    @Inject(SegmentRecorder) private readonly recorder: SegmentRecorder,
    @Inject(WorkerClient) private readonly workers: WorkerClient,
  ) {}

  readonly process: Handler<'segment-upload'> = async (segment, { signal }) => {
    const state = await this.rows.look(segment);
    // Without a worker nothing can be fetched: its lease expires, and the next owner announces anew.
    if (!state || state.workerAddress === null) return undefined;
    const decision = decide(state, segment);
    if (decision === 'fetch') return this.take(segment, state, state.workerAddress, signal);
    // An earlier run may have been killed after it had put the object.
    await this.discard(state.assetId, objectsOf(segment, state.assetId), state.jobStatus !== 'processing');
    await this.release(state.workerAddress, segment, decision === 'refuse' ? 'init_mismatch' : undefined);
    return undefined;
  };

  private async take(segment: SegmentPayload, state: SegmentState, worker: string, signal: AbortSignal) {
    if (state.ts && segment.index >= 0 && !segment.ts) {
      await this.release(worker, segment, 'ts_missing');
      return undefined;
    }
    const objects = objectsOf(segment, state.assetId);
    try {
      const stored = await Promise.all(
        objects.map((object) => this.transfer.run(worker, segment, object, signal)),
      );
      if (stored.includes(false)) return undefined;
    } catch (error) {
      const refusal = error instanceof SluiceError ? REFUSALS[error.code] : undefined;
      if (!refusal) throw error;
      await this.release(worker, segment, refusal);
      return undefined;
    }
    const { outcome, facts } = await this.recorder.record(segment, {
      renditionId: state.renditionId,
      objects,
    });
    await this.resources.facts.publish(...facts);
    count('sluice_segments_total', { outcome: COUNTED[outcome] });
    if (outcome === 'recorded')
      count('sluice_segment_bytes_total', {}, segment.size + (segment.ts?.size ?? 0));
    if (outcome !== 'recorded') await this.discard(state.assetId, objects, outcome === 'closed');
    await this.release(worker, segment, outcome === 'refused' ? 'init_mismatch' : undefined);
    return undefined;
  }

  /**
   * Once its job has ended no row can come to name an object any more: it goes unless one does. In
   * an open job another owner may be about to name the same bytes; packaging sweeps what is left.
   */
  private async discard(assetId: string, objects: SegmentObject[], jobHasEnded: boolean): Promise<void> {
    for (const { key } of jobHasEnded ? objects : []) {
      if (!(await this.rows.names(assetId, key))) await this.resources.store.delete(key);
    }
  }

  private async release(worker: string, segment: SegmentPayload, refused?: Refusal): Promise<void> {
    if (refused) {
      const { jobId, spanId, rendition, index } = segment;
      const ids = { job_id: jobId, span_id: spanId, rendition, index };
      this.context.logger.warn({ ...ids, refused }, 'segment refused');
    }
    await this.workers.release(worker, segment, refused);
  }
}

const REFUSALS: Partial<Record<SluiceError['code'], Refusal>> = {
  segment_bad_magic: 'bad_magic',
  segment_checksum_mismatch: 'checksum_mismatch',
};

const COUNTED = {
  recorded: 'stored',
  known: 'known',
  late: 'late',
  closed: 'late',
  refused: 'refused',
} as const satisfies Record<Outcome, string>;
