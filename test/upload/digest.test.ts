import { randomInt } from 'node:crypto';
import { setImmediate as immediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EDGE_BYTES, type SluiceError } from '#contracts';
import { openStore } from '#storage';
import { testDir, waitFor } from '#testing';
import type { ChunkRow } from '../../apps/upload/src/chunks/chunks.repository.js';
import { PrefixDigest } from '../../apps/upload/src/digest/prefix.js';
import { Recent } from '../../apps/upload/src/digest/recent.js';
import {
  complete,
  created,
  eventsOf,
  jobOf,
  look,
  put,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

/** As built, beside the file of its worker. */
const { DigestThread } = (await import(
  new URL('../../dist/apps/upload/src/digest/thread.js', import.meta.url).href
)) as typeof import('../../apps/upload/src/digest/thread.js');

const CHUNK = 512 * 1024;
const LIMITS = { UPLOAD_MAX_CHUNK_SIZE: String(CHUNK), UPLOAD_MAX_FILE_SIZE: String(64 * CHUNK) };
let stack: UploadStack;

beforeAll(async () => {
  stack = await startUploads(2, LIMITS);
});
afterAll(() => stack?.stop());

const completed = (id: string, file: Buffer, url = stack.uploads[0]!) =>
  waitFor(async () => (await look(url, id)).body.data.sha256 === sha256(file), {
    what: 'the digest',
  });
const edgesOf = async (id: string) =>
  (
    await stack.query(
      'SELECT edges_sha256 FROM assets WHERE id = (SELECT asset_id FROM upload_sessions WHERE id = $1)',
      [id],
    )
  )[0]?.edges_sha256;

/** Offsets of chunks, each with the process that is to take it. */
function* deal(size: number, process: (index: number) => number) {
  for (let at = 0, index = 0; at < size; at += CHUNK, index += 1)
    yield { at, url: stack.uploads[process(index)]! };
}

describe('the SHA-256 of a file', () => {
  it('S3-07 is that of its bytes, whatever the order of its chunks, and so is that of its edges', async () => {
    const file = videoBytes(7 * CHUNK + 12_345);
    const { session_id: id } = await created(stack.uploads[0]!, { size: file.length });
    const chunks = [...deal(file.length, () => 0)].sort(() => Math.random() - 0.5);
    await Promise.all(chunks.map(({ at, url }) => put(url, id, at, file.subarray(at, at + CHUNK))));
    await completed(id, file);
    const edges = Buffer.concat([file.subarray(0, EDGE_BYTES), file.subarray(-EDGE_BYTES)]);
    expect(await edgesOf(id)).toBe(sha256(edges));
    expect((await jobOf(stack, id)).asset_sha256).toBe(sha256(file));
  });

  it('S3-07 of up to two MiB is that of its edges, too', async () => {
    for (const size of [1000, CHUNK + 1, 4 * CHUNK]) {
      const file = videoBytes(size);
      const { session_id: id } = await created(stack.uploads[0]!, { size });
      for (const { at, url } of deal(size, () => 0)) await put(url, id, at, file.subarray(at, at + CHUNK));
      await completed(id, file);
      expect(await edgesOf(id)).toBe(sha256(file));
    }
  });

  it('S3-15 is computed once when several processes take the chunks, and all of them answer with it', async () => {
    const file = videoBytes(9 * CHUNK);
    const { session_id: id } = await created(stack.uploads[0]!, { size: file.length });
    // The last one comes to the process that does not compute.
    for (const { at, url } of deal(file.length, (index) => (index === 8 ? 1 : index % 2)))
      expect((await put(url, id, at, file.subarray(at, at + CHUNK))).status).toBe(200);
    await completed(id, file);
    const answers = await Promise.all(stack.uploads.map((url) => complete(url, id)));
    for (const answer of answers) expect(answer.body.data).toMatchObject({ sha256: sha256(file) });
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_completed']);
  });

  it('S3-07 that was not promised is 422 for the process that asked, whoever computed it', async () => {
    const file = videoBytes(3 * CHUNK);
    const promised = sha256(videoBytes(10));
    const { session_id: id } = await created(stack.uploads[0]!, { size: file.length, file_hash: promised });
    const answers = [];
    for (const { at, url } of deal(file.length, (index) => (index === 2 ? 1 : 0)))
      answers.push(await put(url, id, at, file.subarray(at, at + CHUNK)));
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual([
      [200, undefined],
      [200, undefined],
      [422, 'file_hash_mismatch'],
    ]);
    expect((await look(stack.uploads[0]!, id)).body.data).toMatchObject({
      status: 'active',
      bytes_received: 0,
    });
  });

  it('begins again on another process when its own is killed', async () => {
    const file = videoBytes(6 * CHUNK);
    const { session_id: id } = await created(stack.uploads[0]!, { size: file.length });
    const chunks = [...deal(file.length, (index) => (index < 4 ? 0 : 1))];
    for (const { at, url } of chunks.slice(0, 4)) await put(url, id, at, file.subarray(at, at + CHUNK));
    await stack.kill('upload');
    for (const { at, url } of chunks.slice(4))
      expect((await put(url, id, at, file.subarray(at, at + CHUNK))).status).toBe(200);
    await completed(id, file, stack.uploads[1]);
    await stack.restart('upload');
  });

  it('S1-10 that takes long does not hold a request: the file is completed by itself', async () => {
    const impatient = await startUploads(1, { ...LIMITS, UPLOAD_COMPLETE_WAIT_SECONDS: '1' });
    try {
      const file = videoBytes(3 * CHUNK);
      const url = impatient.uploads[0]!;
      const { session_id: id } = await created(url, { size: file.length });
      // A process that is slow, and alive as far as anyone can tell.
      const lease = (until: string) =>
        impatient.query(
          `UPDATE upload_sessions SET digest_owner = 'a slow process', digest_until = now() + $2::interval WHERE id = $1`,
          [id, until],
        );
      await lease('1 hour');
      const answers = [];
      for (const { at } of deal(file.length, () => 0))
        answers.push(await put(url, id, at, file.subarray(at, at + CHUNK)));
      expect(answers.at(-1)).toMatchObject({
        status: 200,
        body: { data: { status: 'active', bytes_received: file.length } },
      });
      const asked = await complete(url, id);
      expect(asked).toMatchObject({ status: 200, body: { data: { status: 'active', missing: [] } } });
      await lease('0 seconds');
      await completed(id, file, url);
      expect(await eventsOf(impatient, id)).toEqual(['upload_started', 'upload_completed']);
    } finally {
      await impatient.stop();
    }
  });

  it('is computed and the session completed when nobody asks', async () => {
    const file = videoBytes(3 * CHUNK);
    const { session_id: id } = await created(stack.uploads[0]!, { size: file.length + 1 });
    for (const { at, url } of deal(file.length, () => 0))
      await put(url, id, at, file.subarray(at, at + CHUNK));
    await stack.query('UPDATE upload_sessions SET file_size = file_size - 1 WHERE id = $1', [id]);
    await completed(id, file);
  });

  it('is right when chunks were dropped and others came in their place', async () => {
    const url = stack.uploads[0]!;
    const file = videoBytes(5 * CHUNK);
    const wrong = Buffer.from(file);
    wrong.writeUInt8(wrong.readUInt8(100) ^ 1, 100);
    const { session_id: id } = await created(url, { size: file.length, file_hash: sha256(file) });
    for (const bytes of [wrong, file]) {
      const answers = await Promise.all(
        [...deal(file.length, () => 0)].map(({ at }) => put(url, id, at, bytes.subarray(at, at + CHUNK))),
      );
      const refused = answers.filter((answer) => answer.status === 422);
      expect(refused).toHaveLength(bytes === wrong ? 1 : 0);
    }
    await completed(id, file);
  });
});

describe('a digest that is begun again while the old one still runs', () => {
  // A lease is lost and comes back, or the process makes room for others: both may share a thread.
  it('S3-07 is right, and the old one ends with an error', async () => {
    const storage = { STORAGE_DRIVER: 'directory' as const, STORAGE_DIR: await testDir('store') };
    const store = await openStore(storage);
    const file = videoBytes(200 * 1000);
    const rows: ChunkRow[] = [];
    for (let offset = 0; offset < file.length; offset += 1000) {
      const bytes = file.subarray(offset, offset + 1000);
      const row = { offset, index: null, size: 1000, hash: sha256(bytes), key: `chunks/${offset}` };
      await store.put(row.key, bytes);
      rows.push(row);
    }
    const source = {
      contiguous: async (_: string, from: number, limit: number) =>
        rows.slice(from / 1000, from / 1000 + limit),
      last: async () => null,
    };
    const thread = new DigestThread(storage);
    try {
      for (const after of [0, 1, 2, 5]) {
        const old = new PrefixDigest('one', source, thread);
        const first = old.finish(file.length).catch((error: SluiceError) => error.code);
        for (let turn = 0; turn < after; turn += 1) await immediate();
        old.drop();
        const second = await new PrefixDigest('one', source, thread).finish(file.length);
        expect(second?.sha256).toBe(sha256(file));
        expect(await first).toMatch(/unavailable|internal/);
      }
    } finally {
      await thread.stop();
    }
  });
});

describe('states that are held', () => {
  it('are bounded: the one that rested the longest makes room', () => {
    const dropped: number[] = [];
    const recent = new Recent<number, string>(3, (key) => dropped.push(key));
    for (const key of [1, 2, 3]) recent.set(key, `${randomInt(10)}`);
    recent.get(1);
    recent.set(4, '4');
    recent.set(5, '5');
    expect(dropped).toEqual([2, 3]);
    expect(recent.keys()).toEqual([1, 4, 5]);
    recent.drop(4);
    recent.drop(4);
    expect(dropped).toEqual([2, 3, 4]);
  });
});
