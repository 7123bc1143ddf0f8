import { createHash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ByteRange, ObjectStore, StoredObject } from '#storage';

export interface StoreUnderTest {
  store: ObjectStore;
  /** Unfinished puts that the driver holds now; 0 when nothing was left behind. */
  unfinished(): Promise<number>;
  close(): Promise<void>;
}

const sha256 = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');

/** What every driver of the object store must do; a driver's test calls this with its factory. */
export function storeContract(name: string, factory: () => Promise<StoreUnderTest>): void {
  describe(`object store: ${name}`, () => {
    let subject: StoreUnderTest;
    let store: ObjectStore;

    beforeEach(async () => {
      subject = await factory();
      store = subject.store;
    });
    afterEach(() => subject.close());

    const keys = async (prefix = '') => {
      const found: StoredObject[] = [];
      for await (const object of store.list(prefix)) found.push(object);
      return found.map((object) => object.key).sort();
    };
    const nothingLeft = async () => {
      expect(await keys()).toEqual([]);
      expect(await subject.unfinished()).toBe(0);
    };
    const streamOf = (bytes: Buffer, step = 1000) =>
      Readable.from(
        (function* () {
          for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
        })(),
        { objectMode: false },
      );

    it('S0-06 gives back exactly the bytes that were put, from a stream and from a buffer', async () => {
      const bytes = randomBytes(70_001);
      const expected = { size: bytes.length, sha256: sha256(bytes) };
      expect(await store.put('a/stream', streamOf(bytes))).toEqual(expected);
      expect(await store.put('a/buffer', bytes, expected)).toEqual(expected);
      for (const key of ['a/stream', 'a/buffer']) expect(await buffer(await store.get(key))).toEqual(bytes);
      expect(await subject.unfinished()).toBe(0);
    });

    it('keeps an empty object', async () => {
      await store.put('a/empty', Buffer.alloc(0));
      expect(await buffer(await store.get('a/empty'))).toEqual(Buffer.alloc(0));
      expect((await store.stat('a/empty'))?.size).toBe(0);
    });

    it('S3-07 refuses another hash and leaves nothing', async () => {
      const put = store.put('a/x', streamOf(randomBytes(5000)), { sha256: sha256(Buffer.from('else')) });
      await expect(put).rejects.toMatchObject({ code: 'chunk_hash_mismatch' });
      await nothingLeft();
    });

    it('refuses a body that is longer or shorter than announced and leaves nothing', async () => {
      for (const size of [4999, 5001]) {
        const put = store.put('a/x', streamOf(randomBytes(5000)), { size });
        await expect(put).rejects.toMatchObject({ code: 'chunk_length_mismatch' });
      }
      await nothingLeft();
    });

    it('a body that breaks off comes out as its own error and leaves nothing', async () => {
      const body = Readable.from(
        (async function* () {
          yield randomBytes(3000);
          throw new Error('the sender is gone');
        })(),
        { objectMode: false },
      );
      await expect(store.put('a/x', body)).rejects.toThrow('the sender is gone');
      await nothingLeft();
    });

    it('an abort ends a put that waits for its body and leaves nothing', async () => {
      const abort = new AbortController();
      const body = new Readable({ read: () => undefined });
      body.push(randomBytes(3000));
      const put = store.put('a/x', body, { signal: abort.signal });
      setImmediate(() => abort.abort(new Error('not wanted any more')));
      await expect(put).rejects.toThrow('not wanted any more');
      expect(body.destroyed).toBe(true);
      await nothingLeft();
    });

    it('a failed put does not touch what was stored under its key before', async () => {
      await store.put('a/x', Buffer.from('first'));
      await expect(store.put('a/x', Buffer.from('other'), { size: 4 })).rejects.toMatchObject({
        code: 'chunk_length_mismatch',
      });
      expect(String(await buffer(await store.get('a/x')))).toBe('first');
    });

    it('reads ranges, cuts them at the end, and refuses what is outside', async () => {
      const bytes = randomBytes(1000);
      await store.put('a/x', bytes);
      expect(await buffer(await store.get('a/x', { start: 10, end: 20 }))).toEqual(bytes.subarray(10, 20));
      expect(await buffer(await store.get('a/x', { start: 990 }))).toEqual(bytes.subarray(990));
      expect(await buffer(await store.get('a/x', { start: 990, end: 5000 }))).toEqual(bytes.subarray(990));
      for (const range of [{ start: 1000 }, { start: 2000, end: 3000 }, { start: 5, end: 5 }]) {
        await expect(store.get('a/x', range)).rejects.toMatchObject({ code: 'range_not_satisfiable' });
      }
    });

    it('reads all of an object, or a range of it, into a reader that keeps no buffer', async () => {
      const bytes = randomBytes(1_300_000);
      await store.put('a/x', bytes);
      const read = async (range?: ByteRange) => {
        const hash = createHash('sha256');
        await store.each('a/x', (part) => hash.update(part), range);
        return hash.digest('hex');
      };
      expect(await read()).toBe(sha256(bytes));
      expect(await read({ start: 1000, end: 1_299_000 })).toBe(sha256(bytes.subarray(1000, 1_299_000)));
      await expect(store.each('a/none', () => undefined)).rejects.toMatchObject({ code: 'object_not_found' });
    });

    it('empties the buffers of a body at most when they were handed over', async () => {
      const parts = Array.from({ length: 5 }, () => Buffer.from(randomBytes(65_536).buffer as ArrayBuffer));
      const bytes = Buffer.concat(parts);
      const body = () => Readable.from(parts, { objectMode: false });
      await store.put('a/kept', body());
      expect(Buffer.concat(parts).equals(bytes)).toBe(true);
      await store.put('a/handed', body(), { handedOver: true });
      for (const key of ['a/kept', 'a/handed'])
        expect((await buffer(await store.get(key))).equals(bytes)).toBe(true);
    });

    it('says what is not there', async () => {
      await expect(store.get('a/none')).rejects.toMatchObject({ code: 'object_not_found' });
      expect(await store.stat('a/none')).toBeNull();
      await store.put('a/b/c', Buffer.from('x'));
      await expect(store.get('a/b')).rejects.toMatchObject({ code: 'object_not_found' });
      expect(await store.stat('a/b')).toBeNull();
    });

    it('lists and deletes by prefix, and deleting twice is no error', async () => {
      for (const key of ['chunks/s1/0-a', 'chunks/s1/10-b', 'chunks/s10/0-c', 'media/m/seg.m4s']) {
        await store.put(key, Buffer.from(key));
      }
      expect(await keys('chunks/s1/')).toEqual(['chunks/s1/0-a', 'chunks/s1/10-b']);
      await store.delete('chunks/s1/0-a');
      await store.delete('chunks/s1/0-a');
      expect(await keys('chunks/')).toEqual(['chunks/s1/10-b', 'chunks/s10/0-c']);
      await store.deletePrefix('chunks/s1/');
      await store.deletePrefix('chunks/s1/');
      expect(await keys()).toEqual(['chunks/s10/0-c', 'media/m/seg.m4s']);
    });

    it('puts and deletes of neighbours at the same time do not disturb each other', async () => {
      const work = Array.from({ length: 40 }, async (_, index) => {
        await store.put(`race/one/${index}`, Buffer.from(String(index)));
        if (index % 2 === 0) await store.delete(`race/one/${index}`);
      });
      await Promise.all(work);
      expect((await keys('race/')).length).toBe(20);
    });

    it('S0-04 refuses keys that are not ours', async () => {
      for (const key of [
        '',
        '/a',
        'a/',
        'a//b',
        '../a',
        'a/../b',
        '.tmp/x',
        'a/.hidden',
        'a\0b',
        'ä',
        'a b',
        'a\\b',
      ]) {
        await expect(store.put(key, Buffer.from('x'))).rejects.toThrow(TypeError);
        await expect(store.get(key)).rejects.toThrow(TypeError);
      }
      await expect(store.deletePrefix('')).rejects.toThrow(TypeError);
      await expect(store.deletePrefix('a')).rejects.toThrow(TypeError);
      await nothingLeft();
    });

    it('check passes while the store can be written to and leaves nothing', async () => {
      await store.check();
      await nothingLeft();
    });
  });
}
