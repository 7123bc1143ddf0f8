import { setTimeout as delay } from 'node:timers/promises';
import { isTransient, toStorageError } from './errors.js';

/** S0-14 */
export const ATTEMPTS = 3;
const FIRST_BACKOFF_MS = 200;

/** Waits before attempt `attempt + 1`; the jitter keeps many clients of a tired store from coming back as one. */
export const backoff = (attempt: number, signal?: AbortSignal): Promise<void> =>
  delay(FIRST_BACKOFF_MS * 4 ** (attempt - 1) * (0.5 + Math.random()), undefined, { signal });

/** For requests that can be made again. What they throw in the end is in our words. */
export async function withRetries<T>(
  request: () => Promise<T>,
  { signal, key }: { signal?: AbortSignal; key?: string } = {},
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      signal?.throwIfAborted();
      return await request();
    } catch (error) {
      signal?.throwIfAborted();
      if (!isTransient(error) || attempt === ATTEMPTS) throw toStorageError(error, key);
    }
    await backoff(attempt, signal).catch(() => signal?.throwIfAborted());
  }
}
