import { randomUUID } from 'node:crypto';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import {
  assembled,
  codeOf,
  complete,
  created,
  eventsOf,
  expectNothingLeft,
  jobOf,
  look,
  objects,
  put,
  rowsOf,
  sha256,
  startUploads,
  temporaryFiles,
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

describe('chunks that arrive', () => {
  it('S3-06 come in any order and in parallel, and make exactly the file', async () => {
    const file = videoBytes(30_000);
    const { session_id: id, job_id } = await created(url, { size: file.length });
    const offsets = Array.from({ length: 30 }, (_, index) => index * 1000).sort(() => Math.random() - 0.5);
    const answers = await Promise.all(offsets.map((at) => put(url, id, at, file.subarray(at, at + 1000))));
    expect(answers.map((answer) => answer.status)).toEqual(offsets.map(() => 200));
    expect(answers.filter((answer) => answer.body.data.status === 'completed')).toHaveLength(1);
    expect((await assembled(stack, id)).equals(file)).toBe(true);
    expect((await look(url, id)).body.data).toMatchObject({
      job_id,
      filename: 'clip.mp4',
      total_chunks: 30,
      chunks_received: 30,
      progress_percentage: 100,
      status: 'completed',
      missing: [],
    });
    expect(await jobOf(stack, id)).toMatchObject({
      source_complete: true,
      progress: 10,
      stage: 'uploading',
      status: 'pending',
    });
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_completed']);
  });

  it('S3-07 have their SHA-256 when they are complete, promised or not', async () => {
    const file = videoBytes(3000);
    const { session_id: id } = await created(url, { size: file.length });
    await put(url, id, 0, file);
    expect((await look(url, id)).body.data.sha256).toBe(sha256(file));
    expect((await jobOf(stack, id)).asset_sha256).toBe(sha256(file));
  });

  it('S3-06 sent twice are no error and stored once', async () => {
    const file = videoBytes(2000);
    const { session_id: id } = await created(url, { size: file.length });
    const first = await put(url, id, 0, file.subarray(0, 1000));
    expect(first.body.data).toMatchObject({
      written: true,
      offset: 0,
      length: 1000,
      bytes_received: 1000,
      progress_percentage: 50,
    });
    const again = await put(url, id, 0, file.subarray(0, 1000));
    expect(again.status).toBe(200);
    expect(again.body.data).toMatchObject({ written: false, bytes_received: 1000 });
    const [a, b] = await Promise.all([
      put(url, id, 1000, file.subarray(1000)),
      put(url, id, 1000, file.subarray(1000)),
    ]);
    expect([a?.body.data.written, b?.body.data.written].sort()).toEqual([false, true]);
    expect(await objects(stack, id)).toHaveLength(2);
    const afterwards = await put(url, id, 1000, file.subarray(1000));
    expect(afterwards.body.data).toMatchObject({ written: false, status: 'completed' });
  });

  it('S3-06 are asked for by their missing ranges', async () => {
    const file = videoBytes(10_000);
    const { session_id: id } = await created(url, { size: file.length });
    expect((await look(url, id)).body.data.missing).toEqual([[0, 10_000]]);
    await put(url, id, 2000, file.subarray(2000, 3000));
    await put(url, id, 5000, file.subarray(5000, 6000));
    await put(url, id, 3000, file.subarray(3000, 3500));
    expect((await look(url, id)).body.data.missing).toEqual([
      [0, 2000],
      [3500, 5000],
      [6000, 10_000],
    ]);
    const refused = await complete(url, id);
    expect(codeOf(refused)).toEqual([409, 'missing_chunks']);
    expect(refused.body.details?.missing).toEqual([
      [0, 2000],
      [3500, 5000],
      [6000, 10_000],
    ]);
  });

  it('of one byte each are recognised as a video once all are there', async () => {
    const file = videoBytes(24);
    const { session_id: id } = await created(url, { size: file.length });
    for (let at = 0; at < file.length; at += 1)
      expect((await put(url, id, at, file.subarray(at, at + 1))).status).toBe(200);
    expect((await look(url, id)).body.data.status).toBe('completed');
  });
});

describe('chunks that are refused leave nothing', () => {
  it('S3-07 a wrong hash is 422, and the right bytes are taken afterwards', async () => {
    const file = videoBytes(1000);
    const { session_id: id } = await created(url, {});
    const refused = await put(url, id, 0, file, { 'x-content-sha256': sha256(Buffer.from('else')) });
    expect(codeOf(refused)).toEqual([422, 'chunk_hash_mismatch']);
    await expectNothingLeft(stack, id);
    expect((await put(url, id, 0, file)).body.data.status).toBe('completed');
  });

  it('S3-06 other bytes at the same place are 409 and what was confirmed stays', async () => {
    const file = videoBytes(1000);
    const { session_id: id } = await created(url, { size: 2000 });
    await put(url, id, 0, file);
    expect(codeOf(await put(url, id, 0, videoBytes(1000)))).toEqual([409, 'chunk_conflict']);
    expect(codeOf(await put(url, id, 0, videoBytes(500)))).toEqual([409, 'chunk_conflict']);
    expect(codeOf(await put(url, id, 500, videoBytes(1000)))).toEqual([409, 'chunk_overlaps']);
    expect(await objects(stack, id)).toHaveLength(1);
    expect((await assembled(stack, id)).equals(file)).toBe(true);
  });

  it('of two that race for one place one is taken and the other leaves no object', async () => {
    const { session_id: id } = await created(url, { size: 5000 });
    const answers = await Promise.all(Array.from({ length: 6 }, () => put(url, id, 0, videoBytes(4000))));
    expect(answers.map((answer) => answer.status).sort()).toEqual([200, 409, 409, 409, 409, 409]);
    const rows = await rowsOf(stack, id);
    expect(await objects(stack, id)).toEqual(rows.map((row) => row.storage_path));
  });

  it('S3-04 too large is 413, beyond the end is 416', async () => {
    const { session_id: id } = await created(url, { size: 6000 });
    expect(codeOf(await put(url, id, 0, videoBytes(4097)))).toEqual([413, 'chunk_too_large']);
    expect(codeOf(await put(url, id, 5999, videoBytes(24)))).toEqual([416, 'chunk_out_of_range']);
    expect(codeOf(await put(url, id, 6000, videoBytes(24)))).toEqual([416, 'chunk_out_of_range']);
    await expectNothingLeft(stack, id);
  });

  it('S3-05 a text named .mp4 is 415 and ends the session with everything of it', async () => {
    const text = Buffer.from('the free text of somebody who named it .mp4\n'.repeat(30)).subarray(0, 1000);
    const { session_id: id } = await created(url, {});
    expect(codeOf(await put(url, id, 0, text))).toEqual([415, 'not_a_video']);
    await expectNothingLeft(stack, id);
    expect((await look(url, id)).body.data).toMatchObject({ status: 'failed', error_code: 'not_a_video' });
    expect(await jobOf(stack, id)).toMatchObject({
      status: 'failed',
      error_code: 'not_a_video',
      asset_status: 'deleting',
      refs: 0,
    });
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_failed']);
    expect(codeOf(await put(url, id, 0, videoBytes(1000)))).toEqual([415, 'not_a_video']);
  });

  it('S3-05 a text of a few bytes is 415, too', async () => {
    const { session_id: id } = await created(url, { size: 5 });
    expect(codeOf(await put(url, id, 0, Buffer.from('hello')))).toEqual([415, 'not_a_video']);
    await expectNothingLeft(stack, id);
  });

  it('a broken first chunk does not end the session as another kind of file', async () => {
    const { session_id: id } = await created(url, {});
    const broken = await put(url, id, 0, Buffer.alloc(1000, 'x'), {
      'x-content-sha256': sha256(videoBytes(1000)),
    });
    expect(codeOf(broken)).toEqual([422, 'chunk_hash_mismatch']);
    expect((await look(url, id)).body.data.status).toBe('active');
  });

  it('a body that ends early is 400 and leaves nothing', async () => {
    const file = videoBytes(2000);
    const { session_id: id } = await created(url, { size: 2000 });
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    const answered = new Promise<string>((resolve) => {
      let text = '';
      socket.on('data', (part) => {
        text += part;
      });
      socket.on('close', () => resolve(text));
    });
    socket.write(
      `PUT /v1/upload/video/session/${id}/bytes/0 HTTP/1.1\r\nHost: ${hostname}\r\nContent-Length: 2000\r\n` +
        `Content-Type: application/octet-stream\r\nX-Content-SHA256: ${sha256(file)}\r\n\r\n`,
    );
    socket.write(file.subarray(0, 1000));
    await waitFor(async () => (await temporaryFiles(stack)) > 0, { what: 'the chunk to be on its way' });
    socket.end();
    expect(await answered).toMatch(/^HTTP\/1.1 400[\s\S]*"code":"chunk_incomplete"/);
    await waitFor(async () => (await temporaryFiles(stack)) === 0, { what: 'the temporary file to go' });
    await expectNothingLeft(stack, id);
    expect((await put(url, id, 0, file)).body.data.status).toBe('completed');
  });

  it('requests that make no sense have a code each', async () => {
    const { session_id: id } = await created(url, {});
    const bytes = videoBytes(100);
    expect(codeOf(await put(url, randomUUID(), 0, bytes))).toEqual([404, 'session_not_found']);
    expect(codeOf(await put(url, 'nonsense', 0, bytes))).toEqual([400, 'malformed_id']);
    expect(codeOf(await put(url, id, '-1', bytes))).toEqual([400, 'validation_failed']);
    expect(codeOf(await put(url, id, '9999999999999999', bytes))).toEqual([400, 'validation_failed']);
    expect(codeOf(await put(url, id, 0, bytes, { 'x-content-sha256': 'abc' }))).toEqual([
      400,
      'validation_failed',
    ]);
    expect(codeOf(await put(url, id, 0, new Uint8Array(0)))).toEqual([400, 'validation_failed']);
    expect(codeOf(await put(url, id, 0, bytes, { 'content-type': 'text/plain' }))).toEqual([
      400,
      'bad_request',
    ]);
    await expectNothingLeft(stack, id);
    expect((await fetch(`${url}/health`)).status).toBe(200);
  });
});
