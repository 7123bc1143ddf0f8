import { resolve } from 'node:path';
import { DirectoryStore } from './directory-store.js';
import type { ObjectStore } from './port.js';
import type { StorageEnvironment } from './storage-environment.js';
import { tracedStore } from './traced-store.js';

/**
 * Of a store over the network: it answers; it does not, and requests fail at once; one request is let
 * through to find out.
 */
export type StoreState = 'closed' | 'open' | 'half_open';
/** Told of each change. */
export type StoreWatch = (state: StoreState, reason?: string) => void;

/**
 * The store that the environment names. Needs nothing to exist yet; `check()` says whether it works.
 * The AWS SDK (a second to load, 20 MB) is loaded only where it is used.
 */
export async function openStore(environment: StorageEnvironment, watch?: StoreWatch): Promise<ObjectStore> {
  if (environment.STORAGE_DRIVER === 's3') {
    const { openS3Store } = await import('./s3/s3-store.js');
    return tracedStore(await openS3Store(environment, watch));
  }
  const sync = environment.STORAGE_FSYNC !== 'false';
  return tracedStore(new DirectoryStore(resolve(environment.STORAGE_DIR), { sync }));
}
