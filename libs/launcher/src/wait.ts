import { setTimeout as sleep } from 'node:timers/promises';

/** Asks again until the condition holds. `what` ends the sentence "waited … for". */
export interface WaitOptions {
  what: string;
  timeoutMs: number;
  intervalMs?: number;
  signal?: AbortSignal;
  /** Why waiting longer is of no use, if so; asked between tries. */
  hopeless?: () => string | undefined;
}

/** Resolves with the first answer that is not false, null or undefined; an error thrown counts as "not yet". */
export async function waitUntil<T>(
  condition: () => Promise<T> | T,
  options: WaitOptions,
): Promise<Exclude<T, false | null | undefined>> {
  const deadline = Date.now() + options.timeoutMs;
  let last: unknown;
  for (;;) {
    options.signal?.throwIfAborted();
    try {
      const answer = await condition();
      if (answer !== false && answer !== null && answer !== undefined) {
        return answer as Exclude<T, false | null | undefined>;
      }
    } catch (error) {
      last = error;
    }
    const hopeless = options.hopeless?.();
    if (hopeless !== undefined) throw new Error(hopeless);
    if (Date.now() > deadline) {
      const seconds = (options.timeoutMs / 1000).toFixed(1);
      const reason =
        last === undefined ? '' : ` (${last instanceof Error ? last.message || last.name : String(last)})`;
      throw new Error(`waited ${seconds} s for ${options.what}${reason}`);
    }
    await sleep(options.intervalMs ?? 50, undefined, { signal: options.signal });
  }
}
