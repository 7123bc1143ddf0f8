import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  assembled,
  call,
  codeOf,
  created,
  expectNothingLeft,
  jobOf,
  look,
  objects,
  post,
  rowsOf,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads();
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

const text = (fields: Record<string, unknown>) =>
  Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, String(value)]));

/** Runs a request and says what it added. */
async function leaving<T>(work: () => Promise<T>): Promise<{ answer: T; objects: number; active: number }> {
  const count = async () => ({
    objects: (await objects(stack)).length,
    active: Number(
      (
        await stack.query(`SELECT count(*) AS n FROM upload_sessions WHERE status IN ('active', 'completed')`)
      )[0]?.n,
    ),
  });
  const before = await count();
  const answer = await work();
  const after = await count();
  return { answer, objects: after.objects - before.objects, active: after.active - before.active };
}

describe('a whole file as a form', () => {
  it('S3-01 is taken in one request, whatever its size and wherever the fields are', async () => {
    const fields = { priority: 9, options: '{"a":1}' };
    for (const size of [24, 4096, 4097, 20_000]) {
      for (const where of ['before', 'after'] as const) {
        const file = videoBytes(size);
        const { status, body } = await post(url, {
          file: { bytes: file, name: 'Grüße.mp4' },
          [where]: text({ ...fields, file_hash: sha256(file) }),
        });
        expect(status, JSON.stringify(body)).toBe(200);
        const { upload_id: id } = body.data;
        expect(body.data).toMatchObject({
          session_id: id,
          status: 'completed',
          filename: 'Grüße.mp4',
          size,
          sha256: sha256(file),
        });
        expect((await assembled(stack, id)).equals(file)).toBe(true);
        expect(await rowsOf(stack, id)).toHaveLength(Math.ceil(size / 4096));
        expect(await jobOf(stack, id)).toMatchObject({ source_complete: true, priority: 9 });
        const [row] = await stack.query('SELECT options, priority FROM upload_sessions WHERE id = $1', [id]);
        expect(row).toMatchObject({ options: { a: 1 }, priority: 9 });
      }
    }
  });

  it.each([
    ['empty', { bytes: Buffer.alloc(0) }, {}, 400, 'empty_file'],
    ['a text', { bytes: Buffer.alloc(500, 'x') }, {}, 415, 'not_a_video'],
    ['a long text', { bytes: Buffer.alloc(9000, 'x') }, {}, 415, 'not_a_video'],
    ['too large', { bytes: videoBytes(100_001) }, {}, 413, 'file_too_large'],
    ['named with a path', { bytes: videoBytes(500), name: '../../x.mp4' }, {}, 400, 'invalid_filename'],
    [
      'of a kind that we do not take',
      { bytes: videoBytes(500), name: 'x.exe' },
      {},
      415,
      'extension_not_allowed',
    ],
    [
      'not what was promised',
      { bytes: videoBytes(9000) },
      { file_hash: sha256(Buffer.from('x')) },
      422,
      'file_hash_mismatch',
    ],
    [
      'not what was promised, in one piece',
      { bytes: videoBytes(500) },
      { file_hash: sha256(Buffer.from('x')) },
      422,
      'file_hash_mismatch',
    ],
    ['in another field', { bytes: videoBytes(500), field: 'video' }, {}, 400, 'validation_failed'],
    ['with bad options', { bytes: videoBytes(9000) }, { options: '[1]' }, 400, 'validation_failed'],
    ['with a bad priority', { bytes: videoBytes(500) }, { priority: '11' }, 400, 'validation_failed'],
  ])('S3-01 that is %s is refused and leaves nothing', async (_what, file, fields, status, code) => {
    for (const where of ['before', 'after'] as const) {
      const left = await leaving(() => post(url, { file, [where]: fields as Record<string, string> }));
      expect(codeOf(left.answer)).toEqual([status, code]);
      expect({ objects: left.objects, active: left.active }).toEqual({ objects: 0, active: 0 });
    }
  });

  it('S3-01 without a file, or not a form at all, is refused', async () => {
    expect(codeOf(await post(url, { before: { priority: '5' } }))).toEqual([400, 'validation_failed']);
    const headers = { 'content-type': 'multipart/form-data' };
    expect(codeOf(await call(url, 'POST', '', { body: 'x', headers }))).toEqual([400, 'bad_request']);
  });

  it('S3-01 that breaks off leaves nothing', async () => {
    const boundary = 'b0undary';
    const body = Buffer.concat([
      Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n`),
      videoBytes(9000),
    ]);
    const headers = { 'content-type': `multipart/form-data; boundary=${boundary}` };
    const left = await leaving(() => call(url, 'POST', '', { body, headers }));
    expect(codeOf(left.answer)).toEqual([400, 'chunk_incomplete']);
    expect({ objects: left.objects, active: left.active }).toEqual({ objects: 0, active: 0 });
  });
});

describe('a file in numbered chunks', () => {
  const sizes = [1000, 1000, 1000, 400];
  const cut = (file: Buffer) => sizes.map((size, index) => file.subarray(index * 1000, index * 1000 + size));
  const send = (chunk: Uint8Array, fields: Record<string, unknown>, where: 'before' | 'after' = 'before') =>
    post(url, { file: { bytes: chunk }, [where]: text({ total_chunks: sizes.length, ...fields }) });

  it.each([[[0, 1, 2, 3]], [[3, 2, 1, 0]], [[3, 0, 2, 1]], [[1, 3, 0, 2]]])(
    'S3-01 in the order %j makes exactly the file',
    async (order) => {
      for (const where of ['before', 'after'] as const) {
        const file = videoBytes(3400);
        const chunks = cut(file);
        let id: string | undefined;
        for (const index of order) {
          const fields = { chunk_index: index, ...(id ? { session_id: id } : {}) };
          const { status, body } = await send(chunks[index]!, fields, where);
          expect(status, JSON.stringify(body)).toBe(200);
          id = body.data.session_id;
          expect(body.data.total_chunks).toBe(4);
          // The object lives in its session's folder, even when the form said late whose it is.
          expect(await objects(stack, id)).toHaveLength(body.data.chunks_received);
        }
        expect((await look(url, id!)).body.data).toMatchObject({
          status: 'completed',
          size: 3400,
          chunks_received: 4,
        });
        expect((await assembled(stack, id!)).equals(file)).toBe(true);
      }
    },
  );

  it('S3-01 all but the first in parallel', async () => {
    const file = videoBytes(3400);
    const chunks = cut(file);
    const { body } = await send(chunks[0]!, { chunk_index: 0 });
    const id = body.data.session_id;
    const rest = await Promise.all(
      [3, 1, 2].map((index) => send(chunks[index]!, { chunk_index: index, session_id: id })),
    );
    expect(rest.map((answer) => answer.status)).toEqual([200, 200, 200]);
    expect((await look(url, id)).body.data.status).toBe('completed');
    expect((await assembled(stack, id)).equals(file)).toBe(true);
  });

  it('S3-06 sent twice are no error, other bytes are 409, and the client learns what is missing', async () => {
    const chunks = cut(videoBytes(3400));
    const { body } = await send(chunks[1]!, { chunk_index: 1 });
    const id = body.data.session_id;
    expect(body.data.missing).toEqual([
      [0, 1000],
      [2000, 4000],
    ]);
    const again = await send(chunks[1]!, { chunk_index: 1, session_id: id });
    expect(again.body.data).toMatchObject({ chunks_received: 1, progress_percentage: 25 });
    const other = await send(videoBytes(1000), { chunk_index: 1, session_id: id });
    expect(codeOf(other)).toEqual([409, 'chunk_conflict']);
    expect(await objects(stack, id)).toHaveLength(1);
  });

  it('S3-01 of unequal size, or with numbers that make no sense, are refused and leave nothing', async () => {
    const { body } = await send(videoBytes(1000), { chunk_index: 0 });
    const session_id = body.data.session_id;
    const refused: [Record<string, unknown>, number, number, string][] = [
      [{ chunk_index: 1, session_id }, 900, 422, 'chunk_length_mismatch'],
      [{ chunk_index: 3, session_id }, 1001, 422, 'chunk_length_mismatch'],
      [{ chunk_index: 4, session_id }, 1000, 416, 'chunk_out_of_range'],
      [{ chunk_index: 1, session_id, total_chunks: 5 }, 1000, 400, 'validation_failed'],
      [{ session_id }, 1000, 400, 'validation_failed'],
      [{ chunk_index: 1, session_id: randomUUID() }, 1000, 404, 'session_not_found'],
      [{ chunk_index: 1, session_id: 'x' }, 1000, 400, 'malformed_id'],
      [{ chunk_index: 1, session_id }, 5000, 413, 'chunk_too_large'],
      [{ chunk_index: 0, total_chunks: 1000 }, 1000, 413, 'file_too_large'],
      [{ chunk_index: 7 }, 1000, 416, 'chunk_out_of_range'],
    ];
    for (const where of ['before', 'after'] as const) {
      for (const [fields, size, status, code] of refused) {
        const left = await leaving(() => send(videoBytes(size), fields, where));
        expect(codeOf(left.answer), `${JSON.stringify(fields)} ${where}`).toEqual([status, code]);
        expect({ objects: left.objects, active: left.active }, JSON.stringify(fields)).toEqual({
          objects: 0,
          active: 0,
        });
      }
    }
  });

  it('S3-05 a first chunk that is no video ends the session', async () => {
    const { body } = await send(videoBytes(1000), { chunk_index: 1 });
    const id = body.data.session_id;
    expect(codeOf(await send(Buffer.alloc(1000, 'x'), { chunk_index: 0, session_id: id }))).toEqual([
      415,
      'not_a_video',
    ]);
    await expectNothingLeft(stack, id);
    expect((await look(url, id)).body.data.status).toBe('failed');
  });

  it('S3-01 and chunks by offset may be mixed in one session', async () => {
    const file = videoBytes(3400);
    const { session_id: id } = await created(url, { size: 3400 });
    const chunks = cut(file);
    expect((await send(chunks[3]!, { chunk_index: 3, session_id: id })).status).toBe(200);
    expect((await send(chunks[0]!, { chunk_index: 0, session_id: id })).status).toBe(200);
    expect((await look(url, id)).body.data.missing).toEqual([[1000, 3000]]);
    expect((await send(chunks[1]!, { chunk_index: 1, session_id: id })).status).toBe(200);
    expect((await send(chunks[2]!, { chunk_index: 2, session_id: id })).body.data.status).toBe('completed');
    expect((await assembled(stack, id)).equals(file)).toBe(true);
  });
});

describe('S1-01 POST /process', () => {
  async function send(parts: {
    video?: Uint8Array;
    file?: Uint8Array;
    key?: string;
    last?: boolean;
    name?: string;
  }) {
    const form = new FormData();
    const addKey = () => parts.key !== undefined && form.append('key', parts.key);
    if (!parts.last) addKey();
    for (const field of ['video', 'file'] as const) {
      const bytes = parts[field];
      if (bytes) form.append(field, new Blob([new Uint8Array(bytes)]), parts.name ?? 'clip.mp4');
    }
    if (parts.last) addKey();
    const response = await fetch(`${url}/process`, { method: 'POST', body: form });
    return { status: response.status, body: (await response.json()) as Record<string, string> };
  }

  it('answers 202 with the job when the bytes are stored, and the job has the key', async () => {
    for (const [size, last] of [
      [1000, false],
      [1000, true],
      [9000, false],
      [9000, true],
    ] as const) {
      const video = videoBytes(size);
      const key = `in/Grüße ${size}.mp4`;
      const { status, body } = await send({ video, key, last });
      expect(status, JSON.stringify(body)).toBe(202);
      expect(body).toEqual({ job_id: expect.any(String), message: 'Video processing started' });
      const [job] = await stack.query('SELECT key, source_complete FROM jobs WHERE id = $1', [body.job_id]);
      expect(job).toEqual({ key, source_complete: true });
      const [session] = await stack.query('SELECT id FROM upload_sessions WHERE job_id = $1', [body.job_id]);
      expect((await assembled(stack, String(session?.id))).equals(video)).toBe(true);
    }
  });

  it('does without a key, and does not take a chunk for a video', async () => {
    const form = new FormData();
    for (const name of ['session_id', 'chunk_index', 'total_chunks']) form.append(name, '7');
    form.append('video', new Blob([new Uint8Array(videoBytes(500))]), 'clip.mp4');
    expect((await fetch(`${url}/process`, { method: 'POST', body: form })).status).toBe(202);
  });

  it.each([
    ['no video', {}, 400, 'validation_failed'],
    ['the video in another field', { file: videoBytes(500) }, 400, 'validation_failed'],
    ['an empty video', { video: Buffer.alloc(0) }, 400, 'empty_file'],
    ['a text', { video: Buffer.alloc(500, 'x') }, 415, 'not_a_video'],
    ['a video that is too large', { video: videoBytes(100_001) }, 413, 'file_too_large'],
    ['a name with a path', { video: videoBytes(500), name: '../x.mp4' }, 400, 'invalid_filename'],
    ['a key with a line end', { video: videoBytes(500), key: 'a\tb' }, 400, 'validation_failed'],
    [
      'a key that is too long',
      { video: videoBytes(9000), key: 'k'.repeat(1025), last: true },
      400,
      'validation_failed',
    ],
  ])('with %s is refused and leaves nothing', async (_what, parts, status, code) => {
    const { answer, ...left } = await leaving(() => send(parts));
    expect([answer.status, answer.body.code]).toEqual([status, code]);
    expect(left).toEqual({ objects: 0, active: 0 });
  });
});
