import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import type { Logger } from '#observability';
import type { ObjectStore } from '#storage';
import type { DigestService } from '../digest/digest.service.js';
import type { Rows } from '../rows.js';
import type { CompletionService } from '../sessions/completion.service.js';
import type { EndingService } from '../sessions/ending.service.js';
import { ORPHAN_AGE_MS } from '../settings.js';

const EVERY_MS = 60_000;
/** Looking at every stored chunk costs more than looking at rows. */
const OBJECTS_EVERY_RUNS = 10;
const BATCH = 500;
const CHUNK_KEY = /^chunks\/([0-9a-f-]{36})\//;

export interface SweepServices {
  rows: Rows;
  ending: EndingService;
  completion: CompletionService;
  digests: DigestService;
  store: ObjectStore;
  logger: Logger;
}

/** Finds what the death of a process left (docs/model.md); any number of processes may sweep at once. */
export class Sweeper implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private runs = 0;
  private stopped = false;

  constructor(private readonly services: SweepServices) {}

  onApplicationBootstrap(): void {
    const tick = async () => {
      await this.sweep(this.runs % OBJECTS_EVERY_RUNS === 0);
      this.runs += 1;
      if (!this.stopped) this.timer = setTimeout(tick, EVERY_MS).unref();
    };
    void tick();
  }

  onModuleDestroy(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** One failing part does not keep the others from their work. */
  async sweep(objects: boolean): Promise<void> {
    await this.attempt('expiry', () => this.expire());
    await this.attempt('completion', () => this.completeForgotten());
    await this.attempt('digests', () => this.fillInDigests());
    if (objects) await this.attempt('objects', () => this.sweepObjects(new Date(Date.now() - ORPHAN_AGE_MS)));
  }

  private async attempt(part: string, work: () => Promise<void>): Promise<void> {
    if (this.stopped) return;
    await work().catch((error: unknown) => {
      if (!this.stopped)
        this.services.logger.warn({ err: error, part }, 'the sweep did not end; it comes again');
    });
  }

  private async expire(): Promise<void> {
    while (!this.stopped && (await this.services.ending.expireNext()));
  }

  private async completeForgotten(): Promise<void> {
    const { rows, completion } = this.services;
    for (const id of await rows.sessions.forgotten(rows.manager)) await completion.complete(id);
  }

  private async fillInDigests(): Promise<void> {
    const { rows, digests } = this.services;
    for (const id of await rows.sessions.withoutDigest(rows.manager)) digests.fillIn({ id });
  }

  /** Chunk objects that no row names, and unfinished puts, older than the given time (S3-13). */
  private async sweepObjects(olderThan: Date): Promise<void> {
    const { store } = this.services;
    let batch: { sessionId: string; key: string }[] = [];
    for await (const object of store.list('chunks/')) {
      if (this.stopped) return;
      const sessionId = CHUNK_KEY.exec(object.key)?.[1];
      if (sessionId === undefined || object.modified >= olderThan) continue;
      batch.push({ sessionId, key: object.key });
      if (batch.length === BATCH) {
        await this.deleteOrphans(batch);
        batch = [];
      }
    }
    await this.deleteOrphans(batch);
    await store.sweepUnfinished(olderThan);
  }

  private async deleteOrphans(objects: { sessionId: string; key: string }[]): Promise<void> {
    const { rows, store, logger } = this.services;
    if (objects.length === 0) return;
    const orphans = await rows.chunks.orphans(rows.manager, objects);
    for (const key of orphans) await store.delete(key);
    if (orphans.length > 0) logger.info({ objects: orphans.length }, 'swept chunk objects without a row');
  }
}
