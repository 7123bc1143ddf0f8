import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type ObjectStore, openStore, type StoreState } from '#storage';
import { noS3Reason, S3_HOOK_MS, waitFor } from '#testing';
import { type FaultProxy, faultProxy, outage } from './fault-proxy.js';
import { type Bucket, createBucket } from './s3-scene.js';

const missing = noS3Reason();
const SLOW_DOWN = { status: 503, code: 'SlowDown' };
const UNAVAILABLE = { code: 'unavailable' };

describe.skipIf(missing !== null)(`S3 that does not answer${missing ? ` (${missing})` : ''}`, () => {
  const bytes = randomBytes(100_000);
  let bucket: Bucket;
  let proxy: FaultProxy;
  let store: ObjectStore;
  let states: StoreState[];

  beforeAll(async () => {
    bucket = await createBucket();
  }, S3_HOOK_MS);
  beforeEach(async () => {
    states = [];
    proxy = await faultProxy(bucket.environment().S3_ENDPOINT as string);
    store = await openStore(bucket.environment(proxy.url), (state) => states.push(state));
  });
  afterEach(async () => {
    await proxy.close();
    await bucket.empty();
  });
  afterAll(() => bucket?.remove());

  const untilOpen = () =>
    waitFor(
      async () => {
        await expect(store.stat('a/x')).rejects.toMatchObject(UNAVAILABLE);
        return states.includes('open');
      },
      { what: 'the breaker to open' },
    );

  it('S0-14 is left alone for a while, and used again when it is back', async () => {
    await store.put('a/x', bytes);
    proxy.faults.push(...outage(SLOW_DOWN));
    await untilOpen();
    const asked = proxy.seen.length;
    const body = Readable.from([bytes], { objectMode: false });
    for (const request of [
      () => store.put('a/y', body, { size: bytes.length }),
      () => store.put('a/z', bytes),
      () => store.get('a/x'),
      () => store.delete('a/x'),
      () => store.check(),
    ])
      await expect(request()).rejects.toMatchObject(UNAVAILABLE);
    expect(body.destroyed).toBe(true);
    // The one that asks whether it is back may be among them.
    expect(proxy.seen.length).toBeLessThanOrEqual(asked + 1);

    proxy.faults.splice(0, proxy.faults.length, ...outage());
    await waitFor(
      async () => {
        await store.stat('a/x').catch(() => undefined);
        return states.filter((state) => state === 'open').length >= 2;
      },
      { what: 'a question that has no answer' },
    );
    proxy.faults.length = 0;
    await waitFor(() => store.put('a/y', bytes).catch(() => null), { what: 'the breaker to close' });
    expect(await buffer(await store.get('a/x'))).toEqual(bytes);
    expect(states).toEqual(['open', 'half_open', 'open', 'half_open', 'closed']);
  });

  it('S0-14 what we asked wrongly, a body that ends early and a caller that gives up are not its failures', async () => {
    const started = Date.now();
    const nobody = await openStore({ ...bucket.environment(), S3_SECRET_ACCESS_KEY: 'wrong' }, (state) =>
      states.push(state),
    );
    const cut = () =>
      Readable.from(
        (async function* () {
          yield bytes;
          throw new Error('the client has gone');
        })(),
        { objectMode: false },
      );
    // Longer than a run of failures must last, and more of them.
    for (let round = 0; round < 6 || Date.now() - started < 2500; round += 1) {
      await expect(nobody.stat('a/x')).rejects.toMatchObject(UNAVAILABLE);
      await expect(store.put('a/x', cut(), { size: 200_000 })).rejects.toThrow('the client has gone');
      await expect(store.get('a/x', undefined, AbortSignal.abort())).rejects.toMatchObject({
        name: 'AbortError',
      });
      expect(await store.stat('a/x')).toBeNull();
    }
    expect(states).toEqual([]);
  });
});
