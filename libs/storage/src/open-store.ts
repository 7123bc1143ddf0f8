import { resolve } from 'node:path';
import { DirectoryStore } from './directory-store.js';
import type { ObjectStore } from './port.js';
import type { StorageEnvironment } from './storage-environment.js';

/**
 * The store that the environment names. Needs nothing to exist yet; `check()` says whether it works.
 * The AWS SDK (a second to load, 20 MB) is loaded only where it is used.
 */
export async function openStore(environment: StorageEnvironment): Promise<ObjectStore> {
  if (environment.STORAGE_DRIVER === 's3') {
    const { openS3Store } = await import('./s3/s3-store.js');
    return openS3Store(environment);
  }
  return new DirectoryStore(resolve(environment.STORAGE_DIR), {
    sync: environment.STORAGE_FSYNC !== 'false',
  });
}
