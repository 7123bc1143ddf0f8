import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import {
  assembled,
  eventsOf,
  look,
  objects,
  rowsOf,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';
import { answerOn, idOf, offsetOf, open, patch, stall, tus } from './tus-support.js';

let stack: UploadStack;
let one: string;
let other: string;

beforeAll(async () => {
  stack = await startUploads(2);
  [one, other] = stack.uploads as [string, string];
});
afterAll(() => stack?.stop());

/** A PATCH whose client has gone silent after these bytes of a file, the first piece of them adopted. */
async function silent(url: string, file: Buffer, sent: number) {
  const path = await open(url, file.length);
  const socket = await stall(url, path, { offset: 0, length: file.length, bytes: file.subarray(0, sent) });
  await waitFor(async () => (await rowsOf(stack, idOf(path))).length === 1, { what: 'the first piece' });
  return { path, socket };
}

const held = async (path: string) =>
  (await stack.query('SELECT writing FROM upload_sessions WHERE id = $1', [idOf(path)]))[0]?.writing;

describe('a client that comes back while its dead connection still holds the upload', () => {
  it.each([
    ['the same process', () => one],
    ['another process', () => other],
  ])('is served at once by %s, with all that had arrived', async (_where, url) => {
    const file = videoBytes(9000);
    const { path, socket } = await silent(one, file, 6100);
    const answered = answerOn(socket);
    expect(await offsetOf(url(), path)).toBe(6100);
    expect(await answered).toContain('"upload_taken_over"');
    expect((await patch(url(), path, 6100, file.subarray(6100))).status).toBe(204);
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
    expect(await eventsOf(stack, idOf(path))).toEqual(['upload_started', 'upload_completed']);
  });

  it('may send without asking first', async () => {
    const file = videoBytes(9000);
    const { path, socket } = await silent(one, file, 4096);
    const answered = answerOn(socket);
    expect((await patch(other, path, 4096, file.subarray(4096))).status).toBe(204);
    expect(await answered).toContain('"upload_taken_over"');
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
  });

  it('takes over from a process that does not answer, and what that one adds later counts for nothing', async () => {
    const file = videoBytes(9000);
    const { path, socket } = await silent(one, file, 6100);
    await stack.kill('upload', 'SIGSTOP', 0);
    expect(await offsetOf(other, path)).toBe(4096);
    expect((await patch(other, path, 4096, file.subarray(4096, 8192))).status).toBe(204);
    socket.write(file.subarray(6100));
    const answered = answerOn(socket);
    await stack.kill('upload', 'SIGCONT', 0);
    expect(await answered).toMatch(/"upload_taken_over"|"chunk_overlaps"/);
    expect((await patch(one, path, 8192, file.subarray(8192))).status).toBe(204);
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
    await waitFor(
      async () => (await objects(stack, idOf(path))).length === (await rowsOf(stack, idOf(path))).length,
      {
        what: 'objects without a row to go',
      },
    );
  });

  it('DELETE ends the request that writes', async () => {
    const file = videoBytes(9000);
    const { path, socket } = await silent(one, file, 5000);
    const answered = answerOn(socket);
    expect((await tus(other, 'DELETE', path)).status).toBe(204);
    expect(await answered).toMatch(/^HTTP\/1\.1 4\d\d/);
    await waitFor(async () => (await objects(stack, idOf(path))).length === 0, { what: 'the objects to go' });
    expect(await rowsOf(stack, idOf(path))).toEqual([]);
  });

  it('two that send the same at once do no harm', async () => {
    const file = videoBytes(20_000);
    const path = await open(one, file.length);
    for (
      let round = 0;
      round < 20 && (await look(one, idOf(path))).body.data.status === 'active';
      round += 1
    ) {
      const at = await offsetOf(one, path);
      const replies = await Promise.all([one, other].map((url) => patch(url, path, at, file.subarray(at))));
      for (const { status } of replies) expect([204, 409]).toContain(status);
    }
    expect((await look(one, idOf(path))).body.data.status).toBe('completed');
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
    expect(await eventsOf(stack, idOf(path))).toEqual(['upload_started', 'upload_completed']);
  });
});

describe('random cuts', () => {
  const seed = Number(process.env.TUS_SEED ?? randomInt(2 ** 31));
  /** Mulberry32: small, and the same everywhere. */
  const random = (() => {
    let state = seed;
    return (below: number) => {
      state = (state + 0x6d2b79f5) | 0;
      let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
      mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
      return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
    };
  })();

  it(`end with the exact bytes (TUS_SEED=${seed})`, async () => {
    for (let file = 0; file < 6; file += 1) {
      const bytes = videoBytes(5000 + random(40_000));
      const path = await open(one, bytes.length);
      for (let at = 0; at < bytes.length; at = await offsetOf(random(2) ? one : other, path)) {
        const until = Math.min(bytes.length, at + 1 + random(20_000));
        const socket = await stall(random(2) ? one : other, path, {
          offset: at,
          length: bytes.length - at,
          bytes: bytes.subarray(at, until),
        });
        let answered = false;
        socket.on('data', () => {
          answered = true;
        });
        if (random(3) === 0) socket.destroy();
        else if (random(2) === 0) socket.end();
        if (until === bytes.length) {
          // With 204; or an earlier request has arrived only now, and this one is told so.
          await waitFor(() => answered || socket.destroyed, { what: 'an answer to the last byte' });
        }
        // Otherwise it stays open, and the next request takes over from it.
      }
      expect((await look(one, idOf(path))).body.data.status).toBe('completed');
      expect((await assembled(stack, idOf(path))).equals(bytes)).toBe(true);
    }
  });
});

/** These end processes for good, so they come last. */
describe('a process that ends while it holds an upload', () => {
  it('is not waited for after kill -9', async () => {
    const file = videoBytes(9000);
    const { path } = await silent(one, file, 6100);
    await stack.kill('upload', 'SIGKILL', 0);
    expect(await held(path)).toBe(true);
    expect(await offsetOf(other, path)).toBe(4096);
    expect(await held(path)).toBe(false);
    expect((await patch(other, path, 4096, file.subarray(4096))).status).toBe(204);
    expect((await assembled(stack, idOf(path))).equals(file)).toBe(true);
  });

  it('keeps what it has when it is stopped', async () => {
    const { path, socket } = await silent(other, videoBytes(9000), 6100);
    const answered = answerOn(socket);
    await stack.kill('upload', 'SIGTERM', 1);
    expect(await answered).toContain('"unavailable"');
    expect((await rowsOf(stack, idOf(path))).map((row) => Number(row.size))).toEqual([4096, 2004]);
    expect(await held(path)).toBe(false);
  });
});
