import { Inject, Injectable } from '@nestjs/common';
import { chunkPrefix, mediaPrefix } from '#contracts';
import type { ServiceContext } from '#http';
import type { Handler } from '#queue';
import type { ObjectStore } from '#storage';
import { CONTEXT, STORE } from '../tokens.js';
import { CleanupRows } from './cleanup-rows.js';

/** So soon a writer of this service that put an object late has seen that the job has ended. */
const MARGIN_MS = 100;

/**
 * Removes an asset that is `deleting`: its objects at once, and once more when no lease of its jobs
 * can still be running, so that a late writer leaves nothing; then the rows that named them.
 */
@Injectable()
export class CleanupProcessor {
  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(CleanupRows) private readonly rows: CleanupRows,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  readonly process: Handler<'cleanup'> = async ({ assetId }, { signal }) => {
    const { LEASE_SECONDS, SOURCE_RETENTION_HOURS } = this.context.environment;
    await this.rows.letGo(assetId, SOURCE_RETENTION_HOURS);
    await this.rows.closeSessions(assetId);
    const leaving = await this.rows.look(assetId, LEASE_SECONDS);
    if (!leaving) return undefined;
    await this.store.deletePrefix(mediaPrefix(assetId));
    for (const sessionId of leaving.sessionIds) {
      signal.throwIfAborted();
      await this.store.deletePrefix(chunkPrefix(sessionId));
    }
    if (leaving.waitMs > 0) return { retryInMs: leaving.waitMs + MARGIN_MS };
    await this.rows.finish(assetId, leaving.sessionIds);
    return undefined;
  };
}
