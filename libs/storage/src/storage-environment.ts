import type { Environment } from '#config';

const ALWAYS = ['STORAGE_DRIVER', 'STORAGE_DIR'] as const;
const BY_DRIVER = [
  'STORAGE_FSYNC',
  'S3_ENDPOINT',
  'S3_REGION',
  'S3_BUCKET',
  'S3_ACCESS_KEY_ID',
  'S3_SECRET_ACCESS_KEY',
  'S3_FORCE_PATH_STYLE',
  'S3_PREFIX',
  'SCRATCH_DIR',
] as const;

/** What a store is told by. */
export type StorageEnvironment = Pick<Environment, (typeof ALWAYS)[number]> &
  Partial<Pick<Environment, (typeof BY_DRIVER)[number]>>;

/** Only that part of the environment, so that it can be sent to a thread. */
export const storageEnvironment = (environment: StorageEnvironment): StorageEnvironment =>
  Object.fromEntries(
    [...ALWAYS, ...BY_DRIVER].map((key) => [key, environment[key]]),
  ) as unknown as StorageEnvironment;
