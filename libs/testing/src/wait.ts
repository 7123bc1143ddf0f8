import { waitUntil } from '#launcher';

/**
 * Waits until `condition` answers with something that is not false, null or undefined, and resolves
 * with it; an error thrown counts as "not yet". Fails after `timeoutMs` (30 s) and names `what`.
 */
export function waitFor<T>(
  condition: () => Promise<T> | T,
  options: { timeoutMs?: number; intervalMs?: number; what: string },
): Promise<Exclude<T, false | null | undefined>> {
  return waitUntil(condition, { timeoutMs: 30_000, ...options });
}
