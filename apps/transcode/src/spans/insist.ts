import { setTimeout as delay } from 'node:timers/promises';
import { toSluiceError } from '#http';

const TRY_AGAIN_MS = 300;

/**
 * Says to the rows what has become of work, until the lease is over: a database that is away for a moment
 * would else leave them `running` without an owner, which counts as a death.
 */
export async function insist<T>(lease: AbortSignal, say: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await say();
    } catch (error) {
      if (lease.aborted || !isOutage(error)) throw error;
      await delay(TRY_AGAIN_MS, undefined, { signal: lease }).catch(() => undefined);
    }
  }
}

/** Postgres, Redis or the store is away: no fault of the video. */
export const isOutage = (error: unknown): boolean => toSluiceError(error).code === 'unavailable';
