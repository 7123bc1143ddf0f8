import { createHash, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { CreateMultipartUploadCommand } from '@aws-sdk/client-s3';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type ObjectStore, openStore } from '#storage';
import { noS3Reason, S3_HOOK_MS } from '#testing';
import { storeContract } from './contract.js';
import { type Bucket, createBucket } from './s3-scene.js';

const missing = noS3Reason();
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
const blocks = (bytes: Buffer, step = 1 << 20) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
    })(),
    { objectMode: false },
  );

describe.skipIf(missing !== null)(`S3${missing ? ` (${missing})` : ''}`, () => {
  let bucket: Bucket;
  let store: ObjectStore;
  beforeAll(async () => {
    bucket = await createBucket();
    store = await openStore(bucket.environment());
  }, S3_HOOK_MS);
  afterEach(() => bucket.empty());
  afterAll(() => bucket?.remove());

  storeContract('s3', async () => ({
    store,
    unfinished: () => bucket.uploads(),
    close: () => bucket.empty(),
  }));

  it('S3-07 a stream with its size and hash goes through without touching the local disk', async () => {
    const bytes = randomBytes(3_000_000);
    const expected = { size: bytes.length, sha256: sha256(bytes) };
    const SCRATCH_DIR = `${bucket.environment().SCRATCH_DIR}/of-its-own`;
    const fresh = await openStore({ ...bucket.environment(), SCRATCH_DIR });
    expect(await fresh.put('chunks/a', blocks(bytes), expected)).toEqual(expected);
    expect(sha256(await buffer(await store.get('chunks/a')))).toBe(expected.sha256);
    expect(await bucket.keys()).toEqual(['video/chunks/a']);
    expect(existsSync(SCRATCH_DIR)).toBe(false);
  });

  it('S3-07 a stream that is not what it was announced to be is never whole at the store', async () => {
    const bytes = randomBytes(300_000);
    const wrong = store.put('chunks/a', blocks(bytes, 65_536), {
      size: bytes.length,
      sha256: sha256(Buffer.from('else')),
    });
    await expect(wrong).rejects.toMatchObject({ code: 'chunk_hash_mismatch' });
    const nothing = { size: 0, sha256: sha256(Buffer.alloc(0)) };
    expect(await store.put('chunks/b', Readable.from([], { objectMode: false }), nothing)).toEqual(nothing);
    expect(await bucket.keys()).toEqual(['video/chunks/b']);
  });

  it('a body of unknown length that is longer than a part goes in parts, and its spool leaves nothing', async () => {
    const bytes = randomBytes(17 * 1024 * 1024);
    let told = 0;
    const onSending = () => {
      told += 1;
    };
    expect(await store.put('media/a', blocks(bytes), { onSending })).toEqual({
      size: bytes.length,
      sha256: sha256(bytes),
    });
    // Of each 256 KiB that leave the spool.
    expect(told).toBeGreaterThanOrEqual(64);
    expect(sha256(await buffer(await store.get('media/a')))).toBe(sha256(bytes));
    const border = { start: 16 * 1024 * 1024 - 5, end: 16 * 1024 * 1024 + 5 };
    expect(await buffer(await store.get('media/a', border))).toEqual(
      bytes.subarray(border.start, border.end),
    );
    const wrong = store.put('media/b', blocks(bytes), { sha256: sha256(Buffer.from('else')) });
    await expect(wrong).rejects.toMatchObject({ code: 'chunk_hash_mismatch' });
    expect(await bucket.keys()).toEqual(['video/media/a']);
    expect(await bucket.uploads()).toBe(0);
    expect(await readdir(`${bucket.environment().SCRATCH_DIR}/spool`)).toEqual([]);
  });

  it('S3-13 sweeps the unfinished uploads of killed processes once they are old, and only ours', async () => {
    for (const Key of ['video/media/x', 'other/y'])
      await bucket.client.send(new CreateMultipartUploadCommand({ Bucket: bucket.name, Key }));
    expect(await store.sweepUnfinished(new Date(Date.now() - 3_600_000))).toBe(0);
    expect(await store.sweepUnfinished(new Date(Date.now() + 3_600_000))).toBe(1);
    expect(await bucket.uploads()).toBe(1);
  });

  it('deletes more below a prefix than it deletes at once', async () => {
    const some = Array.from({ length: 40 }, (_, index) => `chunks/many/${index}`);
    await Promise.all(some.map((key) => store.put(key, Buffer.from(key))));
    await store.deletePrefix('chunks/many/');
    expect(await bucket.keys()).toEqual([]);
  });

  it('a store that is not there, or does not know us, fails its check', async () => {
    const nobody = await openStore({ ...bucket.environment(), S3_SECRET_ACCESS_KEY: 'wrong' });
    const nowhere = await openStore({ ...bucket.environment(), S3_BUCKET: 'not-there' });
    for (const wrong of [nobody, nowhere])
      await expect(wrong.check()).rejects.toMatchObject({ code: 'unavailable' });
    await expect(nobody.get('a/x')).rejects.toMatchObject({ code: 'unavailable' });
  });
});
