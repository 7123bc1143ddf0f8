import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { SluiceClient, type UploadSource } from '#client';
import { fileSource } from '#client/node';
// It is no part of what the client offers.
import { Sha256 } from '../../libs/client/src/sha256.js';
import { assembled, jobOf, sha256, startUploads, type UploadStack, videoBytes } from './support.js';

const MIB = 1024 * 1024;
const SIZE = 3 * MIB + 7;

let stack: UploadStack;
let folder: string;
/** `METHOD /path` of all that was asked, and what each said. */
let asked: string[];
let bodies: string[];
let answerToQuestion: ((signal: AbortSignal | null | undefined) => Promise<Response>) | null;

const client = () =>
  new SluiceClient({
    uploadUrl: stack.uploads[0]!,
    fetch: (input, init) => {
      const { pathname } = new URL(String(input));
      asked.push(`${init?.method} ${pathname}`);
      bodies.push(typeof init?.body === 'string' ? init.body : '');
      if (answerToQuestion && pathname.endsWith('/known')) return answerToQuestion(init?.signal);
      return fetch(input, init);
    },
  });

const sourceOf = (bytes: Buffer, read: [number, number][] = []): UploadSource => ({
  name: 'clip.mp4',
  size: bytes.length,
  read: async (start, end) => {
    read.push([start, end]);
    return bytes.subarray(start, end);
  },
});

const sends = () => asked.filter((line) => line.startsWith('PUT')).length;
const creation = () => JSON.parse(bodies[asked.indexOf('POST /v1/upload/video/session')] ?? '{}');

beforeAll(async () => {
  stack = await startUploads(1, {
    UPLOAD_MAX_CHUNK_SIZE: String(MIB),
    UPLOAD_MAX_FILE_SIZE: String(9 * MIB),
  });
  folder = await mkdtemp(join(tmpdir(), 'sluice-known-'));
});
afterAll(async () => {
  await stack?.stop();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => {
  asked = [];
  bodies = [];
  answerToQuestion = null;
});

describe('a client that asks before it sends', () => {
  it('S3-08 does not hash a file that is not known, and begins with it at once', async () => {
    const file = videoBytes(SIZE);
    const read: [number, number][] = [];
    const source: UploadSource = {
      ...sourceOf(file, read),
      sha256: () => Promise.reject(new Error('not to be hashed')),
    };
    let readBefore = 0;
    const onSession = () => {
      readBefore = read.length;
    };
    const session = await client().upload(source, { askFrom: 1, onSession });
    expect(read.slice(0, readBefore)).toEqual([
      [0, MIB],
      [SIZE - MIB, SIZE],
    ]);
    expect(creation()).not.toHaveProperty('file_hash');
    expect((await assembled(stack, session.session_id)).equals(file)).toBe(true);
  });

  it('S3-08 sends nothing of a known file, whether it hashes by itself or the source does', async () => {
    const file = videoBytes(SIZE);
    const path = join(folder, 'clip.mp4');
    await writeFile(path, file);
    const first = await client().upload(sourceOf(file), { askFrom: 1 });
    const { asset_id } = await jobOf(stack, first.session_id);
    for (const source of [sourceOf(file), await fileSource(path)]) {
      asked = [];
      bodies = [];
      const session = await client().upload(source, { askFrom: 1 });
      expect(session).toMatchObject({ status: 'completed', sha256: sha256(file) });
      expect(creation().file_hash).toBe(sha256(file));
      expect(sends()).toBe(0);
      expect((await jobOf(stack, session.session_id)).asset_id).toBe(asset_id);
    }
  });

  it('S3-08 sends a file that has only its edges in common with a known one', async () => {
    const file = videoBytes(SIZE);
    const other = Buffer.from(file);
    randomBytes(100).copy(other, MIB + 5);
    const [first, second] = [
      await client().upload(sourceOf(file), { askFrom: 1 }),
      await client().upload(sourceOf(other), { askFrom: 1 }),
    ];
    expect(second).toMatchObject({ status: 'completed', sha256: sha256(other) });
    expect((await jobOf(stack, second.session_id)).asset_id).not.toBe(
      (await jobOf(stack, first.session_id)).asset_id,
    );
    expect((await assembled(stack, second.session_id)).equals(other)).toBe(true);
  });

  it('asks only where that is worth it', async () => {
    await client().upload(sourceOf(videoBytes(SIZE)));
    expect(asked.join()).not.toContain('/known');
    await client().upload(sourceOf(videoBytes(8 * MIB)));
    expect(asked.filter((line) => line.endsWith('/known'))).toHaveLength(1);
  });

  it.each<[string, typeof answerToQuestion]>([
    ['fails', async () => new Response('busy', { status: 503 })],
    ['does not arrive', () => Promise.reject(new TypeError('fetch failed'))],
    ['is not understood', async () => Response.json({ success: true, data: null })],
    [
      'is not answered',
      (signal) => new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason))),
    ],
  ])('sends its file when the question %s', async (_how, answer) => {
    answerToQuestion = answer;
    const session = await client().upload(sourceOf(videoBytes(2000)), { askFrom: 1 });
    expect(session.status).toBe('completed');
    expect(asked.filter((line) => line.endsWith('/known'))).toHaveLength(1);
  });

  it('stops in the middle of the hash when it is told to', async () => {
    const file = videoBytes(SIZE);
    const path = join(folder, 'stopped.mp4');
    await writeFile(path, file);
    answerToQuestion = async () => Response.json({ success: true, data: { possible: true } });
    for (const source of [sourceOf(file), await fileSource(path)]) {
      const stop = new AbortController();
      const stopping: UploadSource = {
        ...source,
        read: (start, end) => {
          if (end - start > MIB) stop.abort();
          return source.read(start, end);
        },
      };
      const { sha256: whole } = source;
      if (whole) {
        stopping.sha256 = (signal) => {
          stop.abort();
          return whole(signal);
        };
      }
      const upload = client().upload(stopping, { askFrom: 1, signal: stop.signal });
      await expect(upload).rejects.toMatchObject({ code: 'aborted' });
    }
    expect(sends()).toBe(0);
  });
});

describe('SHA-256 in pieces', () => {
  it('is that of Node, wherever the pieces end', () => {
    for (let length = 0; length < 260; length += 1) {
      const bytes = randomBytes(length);
      const hash = new Sha256();
      for (let at = 0; at < length; ) {
        const end = Math.min(length, at + randomInt(1, 150));
        hash.update(bytes.subarray(at, end));
        at = end;
      }
      expect(hash.hex(), bytes.toString('hex')).toBe(createHash('sha256').update(bytes).digest('hex'));
    }
  });
});
