import { resolve } from 'node:path';
import type { Environment } from '#config';
import { DirectoryStore } from './directory-store.js';
import type { ObjectStore } from './port.js';

/** The store that the environment names. Needs nothing to exist yet; `check()` says whether it works. */
export function openStore(environment: Pick<Environment, 'STORAGE_DRIVER' | 'STORAGE_DIR'>): ObjectStore {
  return new DirectoryStore(resolve(environment.STORAGE_DIR));
}
