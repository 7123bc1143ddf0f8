import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BatchData, CreateBatchData } from '#contracts';
import { waitFor } from '#testing';
import { combine, stateOf } from '../../apps/upload/src/batch/combine.js';
import {
  type Answer,
  codeOf,
  create,
  created,
  expectNothingLeft,
  look,
  post,
  put,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads(1, { SWEEP_INTERVAL_SECONDS: '0.3' });
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

async function batch<T = BatchData>(method: string, path: string, body?: unknown): Promise<Answer<T>> {
  const json = { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
  const response = await fetch(`${url}/v1/upload/batch${path}`, {
    method,
    ...(body === undefined ? {} : json),
  });
  return { status: response.status, body: (await response.json()) as Answer<T>['body'] };
}
const seen = async (id: string) => (await batch('GET', `/${id}`)).body.data;
const open = async (files: unknown[] = []) => (await batch<CreateBatchData>('POST', '', { files })).body.data;
const file = (size = 1000) => ({ filename: 'clip.mp4', size });
/** The other services take no part here: their rows say what they would have done. */
const jobs = (sessionId: string, set: string) =>
  stack.query(`UPDATE jobs SET ${set} WHERE id = (SELECT job_id FROM upload_sessions WHERE id = $1)`, [
    sessionId,
  ]);

describe('S3-12 a batch', () => {
  it('opens a session for each file, or says what is wrong with it', async () => {
    const files = [
      file(),
      { filename: 'notes.txt', size: 10 },
      { filename: 'clip.mp4', size: 0 },
      'clip.mp4',
      file(2000),
    ];
    const { status, body } = await batch<CreateBatchData>('POST', '', { name: 'Holidays', files });
    expect([status, body.data.name]).toEqual([201, 'Holidays']);
    expect(body.data.files.map(({ session, error }) => error?.code ?? session?.status)).toEqual([
      'active',
      'extension_not_allowed',
      'empty_file',
      'bad_request',
      'active',
    ]);
    const { files: rows, ...rest } = await seen(body.data.batch_id);
    expect(rest).toMatchObject({ name: 'Holidays', status: 'active', counts: { total: 2, uploading: 2 } });
    expect(rows.map(({ size }) => size)).toEqual([1000, 2000]);
  });

  it('takes sessions that name it, from every door', async () => {
    const { batch_id } = await open();
    expect(await seen(batch_id)).toMatchObject({ status: 'active', progress_percentage: 0, files: [] });
    await created(url, { batch_id });
    for (const size of [1000, 9000]) {
      for (const fields of [{ before: { batch_id } }, { after: { batch_id } }]) {
        expect((await post(url, { file: { bytes: videoBytes(size) }, ...fields })).status).toBe(200);
      }
    }
    await post(url, {
      file: { bytes: videoBytes(100) },
      before: { batch_id, chunk_index: '0', total_chunks: '2' },
    });
    const metadata = { filename: 'clip.mp4', batch_id };
    const tus = await fetch(`${url}/files`, {
      method: 'POST',
      headers: {
        'tus-resumable': '1.0.0',
        'upload-length': '1000',
        'upload-metadata': Object.entries(metadata)
          .map(([key, value]) => `${key} ${Buffer.from(value).toString('base64')}`)
          .join(),
      },
    });
    expect(tus.status).toBe(201);
    expect(await seen(batch_id)).toMatchObject({
      status: 'active',
      counts: { total: 7, uploading: 3, processing: 4 },
    });
  });

  it('has one status and one progress for all of its files', async () => {
    const { batch_id, files } = await open([file(), file()]);
    const [one, two] = files.map(({ session }) => session!.session_id);
    for (const id of [one!, two!]) await put(url, id, 0, videoBytes(1000));
    expect(await seen(batch_id)).toMatchObject({ status: 'processing', progress_percentage: 10 });
    await jobs(one!, `status = 'completed', progress = 100`);
    expect(await seen(batch_id)).toMatchObject({ status: 'processing', progress_percentage: 55 });
    await jobs(two!, `status = 'failed', error_code = 'encode_failed', error_message = 'No.'`);
    const ended = await seen(batch_id);
    expect(ended).toMatchObject({
      status: 'partial',
      progress_percentage: 100,
      counts: { completed: 1, failed: 1 },
    });
    expect(ended.files[1]).toMatchObject({ error_code: 'encode_failed', state: 'failed' });
  });

  it('is cancelled with what is open in it; what was completed stays', async () => {
    const { batch_id, files } = await open([file(), file(), file()]);
    const [done, converting, sending] = files.map(({ session }) => session!.session_id);
    for (const id of [done!, converting!]) await put(url, id, 0, videoBytes(1000));
    await jobs(done!, `status = 'completed'`);
    const { status, body } = await batch('DELETE', `/${batch_id}`);
    expect(status).toBe(200);
    expect(body.data).toMatchObject({
      status: 'partial',
      cancelled: true,
      counts: { completed: 1, failed: 2 },
    });
    for (const id of [converting!, sending!]) {
      expect((await look(url, id)).body.data.status).toBe('cancelled');
      await expectNothingLeft(stack, id);
    }
    expect((await look(url, done!)).body.data.status).toBe('completed');
    expect(codeOf(await create(url, { batch_id }))).toEqual([409, 'batch_closed']);
    expect((await batch('DELETE', `/${batch_id}`)).status).toBe(200);
  });

  it('whose cancelling process died is cancelled to its end by the sweep', async () => {
    const { batch_id, files } = await open([file()]);
    await stack.query('UPDATE upload_batches SET cancelled_at = now() WHERE id = $1', [batch_id]);
    const id = files[0]!.session!.session_id;
    await waitFor(async () => (await look(url, id)).body.data.status === 'cancelled', { what: 'the sweep' });
    expect((await seen(batch_id)).status).toBe('failed');
  });

  it('ends overdue sessions when it is looked at', async () => {
    const { batch_id, files } = await open([file()]);
    await stack.query(`UPDATE upload_sessions SET expires_at = now() WHERE id = $1`, [
      files[0]!.session!.session_id,
    ]);
    expect((await seen(batch_id)).files[0]).toMatchObject({
      session_status: 'expired',
      error_code: 'session_expired',
    });
  });

  it('that cannot be is refused, and leaves nothing', async () => {
    const sessions = async () => (await stack.query('SELECT count(*) AS n FROM upload_sessions'))[0]?.n;
    const before = await sessions();
    expect(codeOf(await batch('POST', '', { name: 'a\u202eb' }))).toEqual([400, 'validation_failed']);
    expect(codeOf(await batch('POST', '', { nonsense: 1 }))).toEqual([400, 'validation_failed']);
    expect(codeOf(await batch('GET', `/${randomUUID()}`))).toEqual([404, 'batch_not_found']);
    expect(codeOf(await batch('DELETE', `/${randomUUID()}`))).toEqual([404, 'batch_not_found']);
    expect(codeOf(await batch('GET', '/1'))).toEqual([400, 'malformed_id']);
    expect(codeOf(await create(url, { batch_id: randomUUID() }))).toEqual([404, 'batch_not_found']);
    expect(codeOf(await create(url, { batch_id: 'x' }))).toEqual([400, 'malformed_id']);
    expect(await sessions()).toBe(before);
  });

  it('is opened with 1,000 files in one request, and not with more, or with more about them', async () => {
    // 998 of them are refused, which is sooner done.
    const others = Array.from({ length: 998 }, () => ({ filename: `${'ü'.repeat(240)}.txt`, size: 1 }));
    const { status, body } = await batch<CreateBatchData>('POST', '', { files: [file(), ...others, file()] });
    expect(status).toBe(201);
    expect(body.data.files).toHaveLength(1000);
    expect([0, 1, 998, 999].map((at) => body.data.files[at]?.error?.code)).toEqual([
      ...[undefined, 'extension_not_allowed', 'extension_not_allowed', undefined],
    ]);
    expect((await seen(body.data.batch_id)).counts.total).toBe(2);

    const one = await batch('POST', '', { files: [...others, file(), file(), file()] });
    expect(codeOf(one)).toEqual([400, 'validation_failed']);
    expect(one.body.detail).toContain('at most 1000 files');
    const options = { note: 'x'.repeat(2_100_000) };
    const large = await batch('POST', '', { files: [{ ...file(), options }] });
    expect(codeOf(large)).toEqual([413, 'body_too_large']);
    expect(large.body).toMatchObject({
      detail: expect.stringContaining('2048000 bytes'),
      details: { maximum: 2_048_000 },
    });
  });

  it('has room for 1,000 files', async () => {
    const { batch_id, files } = await open([file()]);
    await stack.query(
      `INSERT INTO upload_sessions (id, tenant_id, filename, expires_at, batch_id)
       SELECT gen_random_uuid(), tenant_id, 'x.mp4', now() + interval '1 hour', batch_id
       FROM upload_sessions, generate_series(1, 999) WHERE id = $1`,
      [files[0]!.session!.session_id],
    );
    expect(codeOf(await create(url, { batch_id }))).toEqual([409, 'batch_closed']);
  });
});

describe('many files as one', () => {
  it.each([
    ['active', 'pending', 'uploading'],
    ['completed', 'pending', 'processing'],
    ['completed', 'processing', 'processing'],
    ['completed', 'completed', 'completed'],
    ['completed', 'failed', 'failed'],
    ['expired', 'failed', 'failed'],
    ['cancelled', 'failed', 'failed'],
    ['failed', 'failed', 'failed'],
  ] as const)('a session that is %s with a job that is %s is %s', (session, job, state) => {
    expect(stateOf(session, job)).toBe(state);
  });

  it.each([
    [[], 'active', 0],
    [['uploading', 'completed'], 'active', 75],
    [['uploading', 'failed'], 'active', 75],
    [['processing', 'uploading'], 'active', 50],
    [['processing', 'failed'], 'processing', 75],
    [['completed', 'completed'], 'completed', 100],
    [['failed', 'failed'], 'failed', 100],
    [['failed', 'completed'], 'partial', 100],
  ] as const)('%j is %s', (states, status, progress_percentage) => {
    const files = states.map((state) => ({ state, progress_percentage: 50 }));
    expect(combine(files, false)).toMatchObject({ status, progress_percentage });
  });
});
