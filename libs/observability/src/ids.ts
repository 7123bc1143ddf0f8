import { AsyncLocalStorage } from 'node:async_hooks';

/** Names of ids as they stand in log lines. */
export type Ids = Record<string, string | undefined>;

const current = new AsyncLocalStorage<Ids>();

/** What is logged within `work`, however deep, names these ids beside those that were named before. */
export function withIds<T>(ids: Ids, work: () => T): T {
  return current.run({ ...current.getStore(), ...ids }, work);
}

/** For the logger. */
export const idsNow = (): Ids => current.getStore() ?? {};
