import { join, resolve } from 'node:path';
import type { StorageEnvironment } from '../storage-environment.js';

export interface S3Settings {
  /** Absent: Amazon's own for the region. */
  endpoint?: string;
  region: string;
  bucket: string;
  /** Absent: what the SDK finds (environment, profile, role of the pod or machine). */
  credentials?: { accessKeyId: string; secretAccessKey: string };
  pathStyle: boolean;
  /** Before every key; empty or with a slash at its end. */
  prefix: string;
  /** Local folder for bodies whose length is not known; nothing in it outlives its process. */
  spoolFolder: string;
  /** Bytes of a part of a large object; S3 takes 5 MiB at least. */
  partSize: number;
  /** Of one object, each with a spool of its own. */
  partsAtOnce: number;
  /** Bytes; what is announced as longer goes in parts. */
  largestSinglePut: number;
}

const MIB = 1024 * 1024;
/** 10,000 parts of it are 156 GiB. Larger parts would make each spool larger. */
const PART_SIZE = 16 * MIB;
/** One put holds so many parts in spools: 48 MiB of scratch, and of memory less than 1 MiB for each. */
const PARTS_AT_ONCE = 3;
const LARGEST_SINGLE_PUT = 64 * MIB;

export function s3Settings(environment: StorageEnvironment): S3Settings {
  const { S3_ENDPOINT, S3_REGION, S3_BUCKET, S3_ACCESS_KEY_ID, S3_SECRET_ACCESS_KEY, SCRATCH_DIR } =
    environment;
  if (!S3_REGION || !S3_BUCKET || !SCRATCH_DIR) {
    throw new TypeError('the S3 store needs a region, a bucket and a scratch folder');
  }
  return {
    ...(S3_ENDPOINT ? { endpoint: S3_ENDPOINT } : {}),
    region: S3_REGION,
    bucket: S3_BUCKET,
    ...(S3_ACCESS_KEY_ID && S3_SECRET_ACCESS_KEY
      ? { credentials: { accessKeyId: S3_ACCESS_KEY_ID, secretAccessKey: S3_SECRET_ACCESS_KEY } }
      : {}),
    pathStyle: environment.S3_FORCE_PATH_STYLE !== 'false',
    prefix: environment.S3_PREFIX ?? '',
    spoolFolder: join(resolve(SCRATCH_DIR), 'spool'),
    partSize: PART_SIZE,
    partsAtOnce: PARTS_AT_ONCE,
    largestSinglePut: LARGEST_SINGLE_PUT,
  };
}
