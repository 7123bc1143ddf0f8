import { resolve } from 'node:path';
import type { Environment } from '#config';
import { DirectoryStore } from './directory-store.js';
import type { ObjectStore } from './port.js';

export type StorageEnvironment = Pick<Environment, 'STORAGE_DRIVER' | 'STORAGE_DIR'> &
  Partial<Pick<Environment, 'STORAGE_FSYNC'>>;

/** The store that the environment names. Needs nothing to exist yet; `check()` says whether it works. */
export function openStore(environment: StorageEnvironment): ObjectStore {
  return new DirectoryStore(resolve(environment.STORAGE_DIR), {
    sync: environment.STORAGE_FSYNC !== 'false',
  });
}
