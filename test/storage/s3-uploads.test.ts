import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { openStore } from '#storage';
import { noS3Reason, readMetrics, S3_HOOK_MS, waitFor } from '#testing';
import {
  assembled,
  codeOf,
  complete,
  created,
  look,
  objects,
  put,
  rowsOf,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from '../upload/support.js';
import { idOf, offsetOf, open, patch, stall } from '../upload/tus-support.js';
import { type FaultProxy, faultProxy, outage } from './fault-proxy.js';
import { type Bucket, createBucket } from './s3-scene.js';

const missing = noS3Reason();
const MIB = 1024 * 1024;

describe.skipIf(missing !== null)(`uploads to S3${missing ? ` (${missing})` : ''}`, () => {
  let bucket: Bucket;
  let proxy: FaultProxy;
  let stack: UploadStack;
  let url: string;

  beforeAll(async () => {
    bucket = await createBucket();
    proxy = await faultProxy(bucket.environment().S3_ENDPOINT as string);
    const started = await startUploads(1, {
      ...bucket.environment(proxy.url),
      UPLOAD_MAX_CHUNK_SIZE: String(MIB),
      UPLOAD_MAX_FILE_SIZE: String(10 * MIB),
    });
    stack = { ...started, store: await openStore(bucket.environment()) };
    url = stack.uploads[0]!;
  }, S3_HOOK_MS);
  afterEach(() => {
    proxy.faults.length = 0;
  });
  afterAll(async () => {
    await stack?.stop();
    await proxy?.close();
    await bucket?.remove();
  });

  const session = async (id: string) => (await look(url, id)).body.data;
  const expectWhole = async (id: string, file: Buffer) => {
    expect(await session(id)).toMatchObject({ status: 'completed', size: file.length, sha256: sha256(file) });
    expect((await assembled(stack, id)).equals(file)).toBe(true);
    expect((await objects(stack, id)).length).toBe((await rowsOf(stack, id)).length);
  };

  it('S3-06 a tus client whose request is cut off half way asks where it was and goes on', async () => {
    const file = videoBytes(3 * MIB + 1);
    const path = await open(url, file.length);
    const id = idOf(path);
    const sent = MIB + 400_000;
    const socket = await stall(url, path, { offset: 0, length: file.length, bytes: file.subarray(0, sent) });
    await waitFor(async () => (await rowsOf(stack, id)).length === 1, { what: 'the first piece' });
    socket.destroy();
    const offset = await offsetOf(url, path);
    expect(offset).toBeGreaterThanOrEqual(MIB);
    expect(offset).toBeLessThanOrEqual(sent);
    expect((await patch(url, path, offset, file.subarray(offset))).status).toBe(204);
    await expectWhole(id, file);
  });

  it('S0-14 while the store is away chunks are refused at once with 503, and the session goes on when it is back', async () => {
    const file = videoBytes(2 * MIB);
    const { session_id: id } = await created(url, { size: file.length });
    expect((await put(url, id, 0, file.subarray(0, MIB))).status).toBe(200);
    const opened = async () => (await readMetrics(url))('sluice_store_breaker_total', { state: 'open' });
    const before = await opened();
    proxy.faults.push(...outage());
    const second = () => put(url, id, MIB, file.subarray(MIB));
    await waitFor(
      async () => {
        expect(codeOf(await second())).toEqual([503, 'unavailable']);
        return (await opened()) > before;
      },
      { what: 'the breaker to open' },
    );
    expect(codeOf(await second())).toEqual([503, 'unavailable']);
    expect((await fetch(`${url}/health`)).status).toBe(503);
    expect(await session(id)).toMatchObject({ status: 'active', missing: [[MIB, 2 * MIB]] });
    proxy.faults.length = 0;
    await waitFor(async () => (await second()).status === 200, { what: 'the store to be used again' });
    await expectWhole(id, file);
    expect(await stack.logs('upload')).toMatch(/"level":"info".*the object store answers again/);
  });

  it('S3-07 a file that can not be read for its hash when its last chunk arrives is kept, and completes when the client asks again', async () => {
    const file = videoBytes(2 * MIB);
    const { session_id: id } = await created(url, { size: file.length });
    proxy.faults.push({ on: 'GET /', do: 'refuse', times: Number.POSITIVE_INFINITY });
    const last = () => put(url, id, MIB, file.subarray(MIB));
    expect((await put(url, id, 0, file.subarray(0, MIB))).status).toBe(200);
    expect(codeOf(await last())).toEqual([503, 'unavailable']);
    expect(codeOf(await complete(url, id))).toEqual([503, 'unavailable']);
    expect(await session(id)).toMatchObject({ status: 'active', missing: [], bytes_received: 2 * MIB });
    proxy.faults.length = 0;
    await waitFor(async () => (await last()).status === 200, { what: 'the store to be used again' });
    await expectWhole(id, file);
    expect((await rowsOf(stack, id)).length).toBe(2);
  });
});
