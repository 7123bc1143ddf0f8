import type { QueueName } from '#contracts';
import { toSluiceError } from '#http';
import type { Handler } from '#queue';

const COME_BACK_MS = 5000;

/**
 * An entry that failed for good would keep its id, and the same work could not be added again. So
 * after the queue's attempts, what may still succeed (a store that is full, a database that is away)
 * comes back later; only what trying again cannot mend stays failed.
 */
export function patient<Q extends QueueName>(
  handler: Handler<Q>,
  onError: (error: unknown) => void,
): Handler<Q> {
  return async (payload, context) => {
    try {
      return await handler(payload, context);
    } catch (error) {
      if (!context.lastAttempt || !toSluiceError(error).retryable) throw error;
      onError(error);
      return { retryInMs: COME_BACK_MS };
    }
  };
}
