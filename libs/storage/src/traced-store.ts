import { traced } from '#observability';
import type { ObjectStore } from './port.js';

/** The same store; what is put, read and deleted are spans of the trace that is open, where one is. */
export function tracedStore(store: ObjectStore): ObjectStore {
  const span = <T>(verb: string, key: string, work: () => Promise<T>): Promise<T> =>
    traced(`store ${verb}`, { 'sluice.object': key }, work, { kind: 'client' });
  return {
    put: (key, body, options) => span('put', key, () => store.put(key, body, options)),
    // Until the first bytes are there; whoever reads the rest has a span of its own.
    get: (key, range, signal) => span('get', key, () => store.get(key, range, signal)),
    each: (key, take, range) => span('get', key, () => store.each(key, take, range)),
    delete: (key) => span('delete', key, () => store.delete(key)),
    deletePrefix: (prefix) => span('delete', prefix, () => store.deletePrefix(prefix)),
    stat: (key) => store.stat(key),
    list: (prefix) => store.list(prefix),
    sweepUnfinished: (olderThan) => store.sweepUnfinished(olderThan),
    check: () => store.check(),
  };
}
