import { randomUUID } from 'node:crypto';
import { buffer } from 'node:stream/consumers';
import type { Environment } from '#config';
import { openStore } from '#storage';
import { type Finding, failed, ok, reasonOf } from '../finding.js';

const BODY = Buffer.from('Sluice can write here, read a part of it, and delete it.');

/** Writes, reads, lists and deletes one small object; should it be left behind, the sweep finds it. */
export async function checkStore(environment: Environment): Promise<Finding[]> {
  const isS3 = environment.STORAGE_DRIVER === 's3';
  if (!isS3 && !environment.STORAGE_DIR)
    return [failed('store', 'STORAGE_DIR is not set', 'Give the folder that all services share, or use s3.')];
  const name = isS3 ? `bucket ${environment.S3_BUCKET}` : environment.STORAGE_DIR;
  const prefix = `chunks/${randomUUID()}/`;
  const key = `${prefix}0-doctor`;
  let step = 'opened';
  try {
    const store = await openStore(environment);
    step = 'written to';
    await store.put(key, BODY, { size: BODY.length });
    step = 'read';
    const part = await buffer(await store.get(key, { start: 7, end: 10 }));
    if (!part.equals(BODY.subarray(7, 10)))
      return [failed('store', `${name} answers a range with other bytes`, 'Use a store that knows ranges.')];
    step = 'listed';
    let listed = 0;
    for await (const _ of store.list(prefix)) listed++;
    if (listed !== 1)
      return [failed('store', `${name} lists ${listed} of 1 objects`, 'Give it the right to list.')];
    step = 'deleted from';
    await store.delete(key);
    return [ok('store', `${name} can be written, read by range, listed and deleted from`)];
  } catch (error) {
    return [
      failed('store', `${name} cannot be ${step}: ${reasonOf(error)}`, isS3 ? MEND_S3 : MEND_DIRECTORY),
    ];
  }
}

const MEND_DIRECTORY = 'Make the folder, and give it to the user that the services run as.';
const MEND_S3 = 'See S3_ENDPOINT, S3_REGION, S3_BUCKET, the key, and its rights (k8s/README.md lists them).';
