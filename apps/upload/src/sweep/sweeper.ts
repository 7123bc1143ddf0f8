import { count, type Logger } from '#observability';
import type { Handler, QueueProducer } from '#queue';
import type { ObjectStore } from '#storage';
import type { Retention } from '../retention/retention.js';
import type { Rows } from '../rows.js';
import type { CompletionService } from '../sessions/completion.service.js';
import type { EndingService } from '../sessions/ending.service.js';
import { ORPHAN_AGE_MS } from '../settings.js';
import type { PartialsService } from '../tus/partials.service.js';

/** Looking at every stored chunk costs more than looking at rows. */
const OBJECTS_AFTER_INTERVALS = 10;
const BATCH = 500;

export interface SweepServices {
  rows: Rows;
  ending: EndingService;
  completion: CompletionService;
  partials: PartialsService;
  store: ObjectStore;
  queues: QueueProducer;
  logger: Logger;
  retention: Retention;
  everyMs: number;
}

/**
 * Finds what the death of a process, or a client's, left (docs/model.md). The schedule brings one entry
 * for each interval, whatever the number of replicas; two that sweep at once do no harm.
 */
export class Sweeper {
  constructor(private readonly services: SweepServices) {}

  readonly process: Handler<'sweep'> = async ({ part }, { signal }) => {
    const { queues, everyMs } = this.services;
    if (part === 'objects') {
      await this.sweepObjects(new Date(Date.now() - ORPHAN_AGE_MS), signal);
      return undefined;
    }
    if (part === 'retention') {
      await this.services.retention.run(signal);
      return undefined;
    }
    // One at a time: its entry has a fixed id, and is there from its delay to its end.
    await this.attempt('schedule', signal, () =>
      queues.revive('sweep', { part: 'objects' }, { delayMs: OBJECTS_AFTER_INTERVALS * everyMs }),
    );
    await this.attempt('expiry', signal, () => this.expire(signal));
    await this.attempt('batches', signal, () => this.cancelLeftOpen(signal));
    await this.attempt('completion', signal, () => this.completeForgotten(signal));
    return undefined;
  };

  /** One failing part does not keep the others from their work. */
  private async attempt(part: string, signal: AbortSignal, work: () => Promise<unknown>): Promise<void> {
    if (signal.aborted) return;
    await work().catch((error: unknown) => {
      if (!signal.aborted)
        this.services.logger.warn({ err: error, part }, 'the sweep did not end; it comes again');
    });
  }

  private async expire(signal: AbortSignal): Promise<void> {
    for (const kind of [this.services.ending, this.services.partials]) {
      while (!signal.aborted && (await kind.expireNext())) {
        count('sluice_sessions_swept_total', { result: 'expired' });
      }
    }
  }

  private async cancelLeftOpen(signal: AbortSignal): Promise<void> {
    const { rows, ending } = this.services;
    for (const id of await rows.batches.leftOpen(rows.manager)) {
      if (signal.aborted) return;
      await ending.cancelOpen(id);
    }
  }

  private async completeForgotten(signal: AbortSignal): Promise<void> {
    const { rows, completion } = this.services;
    for (const id of await rows.sessions.forgotten(rows.manager)) {
      if (signal.aborted) return;
      // One that can not be completed must not keep the others waiting.
      await this.attempt('completion', signal, async () => {
        await completion.complete(id);
        count('sluice_sessions_swept_total', { result: 'completed' });
      });
    }
  }

  /** Chunk objects that no row names, and unfinished puts, older than the given time (S3-13). */
  private async sweepObjects(olderThan: Date, signal: AbortSignal): Promise<void> {
    const { store } = this.services;
    let batch: string[] = [];
    for await (const object of store.list('chunks/')) {
      if (signal.aborted) return;
      if (object.modified >= olderThan) continue;
      batch.push(object.key);
      if (batch.length === BATCH) {
        await this.deleteOrphans(batch);
        batch = [];
      }
    }
    await this.deleteOrphans(batch);
    count('sluice_objects_swept_total', { kind: 'unfinished' }, await store.sweepUnfinished(olderThan));
  }

  private async deleteOrphans(keys: string[]): Promise<void> {
    const { rows, store, logger } = this.services;
    if (keys.length === 0) return;
    const orphans = await rows.chunks.orphans(rows.manager, keys);
    for (const key of orphans) await store.delete(key);
    count('sluice_objects_swept_total', { kind: 'chunk' }, orphans.length);
    if (orphans.length > 0) logger.info({ objects: orphans.length }, 'swept chunk objects without a row');
  }
}
