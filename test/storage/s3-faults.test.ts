import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ObjectStore, openStore } from '#storage';
import { noS3Reason, S3_HOOK_MS, waitFor } from '#testing';
import { type FaultProxy, faultProxy } from './fault-proxy.js';
import { type Bucket, createBucket } from './s3-scene.js';

const missing = noS3Reason();
const MIB = 1024 * 1024;
const SLOW_DOWN = { status: 503, code: 'SlowDown' };
const INTERNAL = { status: 500, code: 'InternalError' };
const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

const streamOf = (bytes: Buffer) =>
  Readable.from(
    (function* () {
      for (let at = 0; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    })(),
    { objectMode: false },
  );

/** Rows 15 and 16 of the faults that the product answers for. */
describe.skipIf(missing !== null)(`S3 in trouble${missing ? ` (${missing})` : ''}`, () => {
  const chunk = randomBytes(600_000);
  const announced = { size: chunk.length, sha256: sha256(chunk) };
  const large = randomBytes(17 * MIB);
  let bucket: Bucket;
  let proxy: FaultProxy;
  let store: ObjectStore;

  beforeAll(async () => {
    bucket = await createBucket();
  }, S3_HOOK_MS);
  beforeEach(async () => {
    proxy = await faultProxy(bucket.environment().S3_ENDPOINT as string);
    store = await openStore(bucket.environment(proxy.url));
  });
  afterEach(async () => {
    await proxy.close();
    await bucket.empty();
  });
  afterAll(() => bucket?.remove());

  const puts = () => proxy.seen.filter((request) => request.startsWith('PUT ')).length;
  const isStored = async (bytes: Buffer) => {
    expect(await bucket.keys()).toEqual(['video/a/x']);
    expect(await bucket.uploads()).toBe(0);
    expect(sha256(await buffer(await store.get('a/x')))).toBe(sha256(bytes));
  };
  const nothingStored = async () => {
    expect(await bucket.keys()).toEqual([]);
    expect(await bucket.uploads()).toBe(0);
  };

  it('a store that says "slow down" before it takes a byte of a stream is asked again', async () => {
    proxy.faults.push({ on: 'PUT /', do: 'refuse', answer: SLOW_DOWN, times: 2 });
    expect(await store.put('a/x', streamOf(chunk), announced)).toEqual(announced);
    expect(puts()).toBe(3);
    await isStored(chunk);
  });

  it.each([
    ['is cut off half way', { do: 'cut' } as const],
    ['was taken and then refused', { do: 'refuse', answer: INTERNAL } as const],
  ])('a stream that %s is for its sender to send again, and leaves nothing', async (_, fault) => {
    proxy.faults.push({ on: 'PUT /', times: 3, ...fault });
    const body = streamOf(chunk);
    await expect(store.put('a/x', body, announced)).rejects.toMatchObject({ code: 'unavailable' });
    expect(body.destroyed).toBe(true);
    await nothingStored();
  });

  it('a buffer is sent three times, not more', async () => {
    proxy.faults.push({ on: 'PUT /', do: 'refuse', answer: INTERNAL }, { on: 'PUT /', do: 'cut' });
    await store.put('a/x', chunk);
    expect(puts()).toBe(3);
    await isStored(chunk);
    proxy.faults.push({ on: 'PUT /', do: 'refuse', times: 9 });
    await expect(store.put('a/y', chunk)).rejects.toMatchObject({ code: 'unavailable' });
    expect(puts()).toBe(6);
  });

  it.each([
    ['is lost', undefined],
    ['is an error', INTERNAL],
  ])('an object is stored though the answer to its put %s', async (_, answer) => {
    proxy.faults.push({ on: 'PUT /', do: 'swallow', ...(answer ? { answer } : {}) });
    expect(await store.put('a/x', streamOf(chunk), announced)).toEqual(announced);
    expect(puts()).toBe(1);
    await isStored(chunk);
  });

  it('a full store is told at once, and not asked again', async () => {
    proxy.faults.push({
      on: 'PUT /',
      do: 'refuse',
      answer: { status: 403, code: 'QuotaExceeded' },
      times: 9,
    });
    await expect(store.put('a/x', streamOf(chunk), announced)).rejects.toMatchObject({
      code: 'storage_full',
    });
    expect(puts()).toBe(1);
    await nothingStored();
  });

  it.each([
    ['is lost', [{ do: 'swallow' } as const]],
    [
      'is an error with status 200, with the object there',
      [{ do: 'swallow', answer: { ...INTERNAL, status: 200 } } as const],
    ],
    [
      'is an error with status 200, without the object',
      [{ do: 'refuse', answer: { ...INTERNAL, status: 200 } } as const],
    ],
  ])('a large object is there once when the answer to its completion %s', async (_, faults) => {
    proxy.faults.push(...faults.map((fault) => ({ on: 'POST ?uploadId', ...fault })));
    proxy.faults.push({ on: 'PUT partNumber=2', do: 'cut' });
    await store.put('a/x', streamOf(large));
    await isStored(large);
  });

  it('three parts of a large object are on their way at once, and what comes next is not taken', async () => {
    const object = Buffer.concat([large, large, large]);
    proxy.faults.push({ on: 'PUT partNumber=1', do: 'hold' });
    proxy.faults.push({ on: 'PUT partNumber=2', do: 'refuse', answer: SLOW_DOWN });
    const body = streamOf(object);
    const put = store.put('a/x', body);
    const sent = () => new Set(proxy.seen.flatMap((request) => request.match(/partNumber=[0-9]+/) ?? []));
    await waitFor(() => sent().size === 3, { what: 'three parts' });
    await waitFor(() => puts() === 4, { what: 'the second one to be sent again' });
    expect(sent().size).toBe(3);
    expect(body.readableEnded).toBe(false);
    proxy.release();
    expect(await put).toEqual({ size: object.length, sha256: sha256(object) });
    await isStored(object);
  });

  it('a large object of which one part can not be sent leaves no upload behind', async () => {
    proxy.faults.push({ on: 'PUT partNumber=1', do: 'refuse', answer: INTERNAL, times: 9 });
    await expect(store.put('a/x', streamOf(large))).rejects.toMatchObject({ code: 'unavailable' });
    await nothingStored();
  });

  it('a large object that can not be completed leaves no upload behind', async () => {
    proxy.faults.push({ on: 'POST ?uploadId', do: 'refuse', answer: INTERNAL, times: 9 });
    await expect(store.put('a/x', streamOf(large))).rejects.toMatchObject({ code: 'unavailable' });
    await nothingStored();
  });

  it('a read that breaks off goes on where it was', async () => {
    await store.put('a/x', large.subarray(0, 2 * MIB));
    proxy.faults.push({ on: 'GET /', do: 'refuse', answer: SLOW_DOWN });
    proxy.faults.push({ on: 'GET /', do: 'cut-answer', times: 2 });
    const read = await buffer(await store.get('a/x', { start: 1000, end: 2 * MIB - 7 }));
    expect(sha256(read)).toBe(sha256(large.subarray(1000, 2 * MIB - 7)));
    expect(proxy.seen.filter((request) => request.startsWith('GET ')).length).toBe(4);
  });

  it('a body is taken only as fast as the store takes it', async () => {
    proxy.faults.push({ on: 'PUT /', do: 'hold' });
    const size = 48 * MIB;
    const block = Buffer.alloc(65_536);
    let given = 0;
    const body = Readable.from(
      (function* () {
        for (; given < size; given += block.length) yield block;
      })(),
      { objectMode: false },
    );
    const put = store.put('a/x', body, { size });
    let before = -1;
    let still = 0;
    await waitFor(
      () => {
        still = given > 0 && given === before ? still + 1 : 0;
        before = given;
        return still === 5;
      },
      { what: 'the body to be held' },
    );
    // What the sockets of two processes hold on loopback, and no more.
    expect(given).toBeLessThan(16 * MIB);
    proxy.release();
    expect((await put).size).toBe(size);
  });
});
