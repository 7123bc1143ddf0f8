import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toQueuePriority } from '#contracts';
import { QueueProducer } from '#queue';
import {
  assembled,
  cancel,
  codeOf,
  complete,
  create,
  created,
  eventsOf,
  expectNothingLeft,
  jobOf,
  look,
  publish,
  put,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let url: string;
let queues: QueueProducer;

beforeAll(async () => {
  stack = await startUploads(2);
  url = stack.uploads[0]!;
  queues = new QueueProducer(stack.redisUrl, 'test');
});
afterAll(async () => {
  await queues?.close();
  await stack?.stop();
});

const entry = (queue: 'plan' | 'cleanup', id: string) => queues.queue(queue).getJob(id);

describe('a new session', () => {
  it('S3-10 keeps what the client said and says where to send', async () => {
    const data = await created(url, {
      filename: 'Ferien 2026 ☀ 家族.MP4',
      size: 5000,
      content_type: 'video/mp4',
      priority: 8,
      options: { note: 'x' },
      user_id: 'u1',
      user_name: 'Ada',
    });
    expect(data).toMatchObject({ status: 'active', duplicate: false, max_chunk_size: 4096 });
    expect(data.upload_path).toBe(`/v1/upload/video/session/${data.session_id}/bytes`);
    const [row] = await stack.query('SELECT * FROM upload_sessions WHERE id = $1', [data.session_id]);
    expect(row).toMatchObject({
      tenant_id: 'default',
      filename: 'Ferien 2026 ☀ 家族.MP4',
      content_type: 'video/mp4',
      priority: 8,
      options: { note: 'x' },
      user_id: 'u1',
      user_name: 'Ada',
      profile: 'default',
      status: 'active',
    });
    expect(await jobOf(stack, data.session_id)).toMatchObject({
      id: data.job_id,
      status: 'pending',
      stage: 'uploading',
      progress: 5,
      priority: 8,
      asset_status: 'provisional',
      refs: 1,
    });
    expect(await eventsOf(stack, data.session_id)).toEqual(['upload_started']);
  });

  it.each([
    ['../../etc/passwd.mp4', 400, 'invalid_filename'],
    ['C:\\videos\\a.mp4', 400, 'invalid_filename'],
    ['a\u0000.mp4', 400, 'invalid_filename'],
    ['a\r\nX-Header: 1.mp4', 400, 'invalid_filename'],
    ['gpj.\u202e4pm.mp4', 400, 'invalid_filename'],
    ['   ', 400, 'invalid_filename'],
    ['..', 400, 'invalid_filename'],
    [`${'a'.repeat(300)}.mp4`, 400, 'validation_failed'],
    ['', 400, 'validation_failed'],
    ['run.sh', 415, 'extension_not_allowed'],
    ['.mp4', 415, 'extension_not_allowed'],
    ['video', 415, 'extension_not_allowed'],
    ['clip.mp4.exe', 415, 'extension_not_allowed'],
  ])('S2-06 is refused with the name %j', async (filename, status, code) => {
    const answer = await create(url, { filename });
    expect(codeOf(answer)).toEqual([status, code]);
    expect(answer.body).toMatchObject({ success: false, detail: expect.stringMatching(/\.$/) });
  });

  it('S3-04 is refused when it is empty, too large, or makes no sense', async () => {
    expect(codeOf(await create(url, { size: 0 }))).toEqual([400, 'empty_file']);
    expect(codeOf(await create(url, { size: 100_001 }))).toEqual([413, 'file_too_large']);
    expect(codeOf(await create(url, { size: -1 }))).toEqual([400, 'validation_failed']);
    expect(codeOf(await create(url, { priority: 11 }))).toEqual([400, 'validation_failed']);
    expect(codeOf(await create(url, { file_hash: 'ABC' }))).toEqual([400, 'validation_failed']);
    expect(await stack.query('SELECT 1 FROM upload_sessions WHERE file_size <= 0 OR priority > 10')).toEqual(
      [],
    );
  });

  it('is not found under another id', async () => {
    for (const answer of [
      await look(url, randomUUID()),
      await cancel(url, randomUUID()),
      await complete(url, randomUUID()),
    ]) {
      expect(codeOf(answer)).toEqual([404, 'session_not_found']);
    }
    expect(codeOf(await look(url, 'x'))).toEqual([400, 'malformed_id']);
  });
});

describe('completing', () => {
  it('S3-07 verifies the promised hash and writes it to the asset', async () => {
    const file = videoBytes(3000);
    const { session_id: id } = await created(url, { size: 3000, file_hash: sha256(file) });
    expect((await put(url, id, 0, file)).body.data.status).toBe('completed');
    expect((await look(url, id)).body.data.sha256).toBe(sha256(file));
    expect(await jobOf(stack, id)).toMatchObject({ asset_sha256: sha256(file), source_complete: true });
  });

  it('S3-07 a broken promise is 422, and the session takes the right bytes afterwards', async () => {
    const file = videoBytes(3000);
    const { session_id: id } = await created(url, { size: 3000, file_hash: sha256(file) });
    const wrong = Buffer.from(file);
    wrong.writeUInt8(wrong.readUInt8(2999) ^ 1, 2999);
    await put(url, id, 0, wrong.subarray(0, 1500));
    expect(codeOf(await put(url, id, 1500, wrong.subarray(1500)))).toEqual([422, 'file_hash_mismatch']);
    await expectNothingLeft(stack, id);
    expect((await look(url, id)).body.data).toMatchObject({
      status: 'active',
      bytes_received: 0,
      missing: [[0, 3000]],
    });
    expect(codeOf(await complete(url, id))).toEqual([409, 'missing_chunks']);
    expect((await put(url, id, 0, file)).body.data.status).toBe('completed');
    expect((await assembled(stack, id)).equals(file)).toBe(true);
  });

  it('S3-07 that is asked for while the last byte arrives does not take it for a broken promise', async () => {
    for (let time = 0; time < 25; time += 1) {
      const file = videoBytes(2000);
      const { session_id: id } = await created(url, { size: 2000, file_hash: sha256(file) });
      await put(url, id, 0, file.subarray(0, 1000));
      let isArriving = true;
      const impatient = async () => {
        while (isArriving) await complete(url, id);
      };
      const asking = [impatient(), impatient(), impatient()];
      const last = await put(url, id, 1000, file.subarray(1000));
      isArriving = false;
      await Promise.all(asking);
      expect([last.status, last.body.data?.status]).toEqual([200, 'completed']);
    }
  });

  it('by two services at once makes one job and the same answer', async () => {
    const file = videoBytes(2000);
    const { session_id: id, job_id } = await created(url, {
      size: 2000,
      file_hash: sha256(file),
      priority: 7,
    });
    await stack.query('UPDATE upload_sessions SET file_size = 2001 WHERE id = $1', [id]);
    await put(url, id, 0, file);
    await stack.query('UPDATE upload_sessions SET file_size = 2000 WHERE id = $1', [id]);
    const answers = await Promise.all([0, 1, 0, 1].map((at) => complete(stack.uploads[at]!, id)));
    for (const answer of answers) {
      expect(answer.status).toBe(200);
      expect(answer.body).toEqual(answers[0]?.body);
      expect(answer.body.data).toMatchObject({ status: 'completed', job_id });
    }
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_completed']);
    const planned = await entry('plan', `plan-${job_id}`);
    expect(planned?.data).toEqual({ jobId: job_id });
    expect(planned?.opts.priority).toBe(toQueuePriority(7));
  });
});

describe('cancelling', () => {
  it('S3-03 leaves nothing behind, twice', async () => {
    const file = videoBytes(2000);
    const { session_id: id, job_id } = await created(url, { size: 2000 });
    await put(url, id, 0, file.subarray(0, 1000));
    for (let time = 0; time < 2; time += 1) {
      const answer = await cancel(url, id);
      expect(answer.status).toBe(200);
      expect(answer.body).toMatchObject({ success: true, message: expect.any(String) });
      await expectNothingLeft(stack, id);
    }
    const job = await jobOf(stack, id);
    expect(job).toMatchObject({
      id: job_id,
      status: 'failed',
      error_code: 'cancelled',
      asset_status: 'deleting',
      refs: 0,
    });
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_failed']);
    expect((await entry('cleanup', `cleanup-${job.asset_id}`))?.data).toEqual({
      assetId: job.asset_id,
      sessionIds: [id],
    });
    expect(codeOf(await put(url, id, 1000, file.subarray(1000)))).toEqual([410, 'session_cancelled']);
    expect(codeOf(await complete(url, id))).toEqual([410, 'session_cancelled']);
    expect((await look(url, id)).body.data).toMatchObject({
      status: 'cancelled',
      error_code: 'cancelled',
      missing: [],
    });
  });

  it('S3-03 ends a job that is being processed, with its open spans', async () => {
    const file = videoBytes(1000);
    const { session_id: id, job_id } = await created(url, {});
    await put(url, id, 0, file);
    await stack.query(`UPDATE jobs SET status = 'processing' WHERE id = $1`, [job_id]);
    await stack.query(
      `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, params, status)
       VALUES ($1, 'default', $2, 'video', 0, '{240p}', 0, '{}', 'running'),
              ($3, 'default', $2, 'video', 1, '{240p}', 1, '{}', 'done')`,
      [randomUUID(), job_id, randomUUID()],
    );
    await cancel(url, id);
    const spans = await stack.query('SELECT status FROM spans WHERE job_id = $1 ORDER BY position', [job_id]);
    expect(spans.map((span) => span.status)).toEqual(['cancelled', 'done']);
    expect(await eventsOf(stack, id)).toEqual(['upload_started', 'upload_completed', 'processing_failed']);
    expect(await jobOf(stack, id)).toMatchObject({
      status: 'failed',
      error_code: 'cancelled',
      asset_status: 'deleting',
    });
    await expectNothingLeft(stack, id);
  });

  it('S3-03 of a session whose job is completed drops its media and keeps the job as it is', async () => {
    const { session_id: id } = await created(url, {});
    await put(url, id, 0, videoBytes(1000));
    await publish(stack, id);
    await cancel(url, id);
    expect(await jobOf(stack, id)).toMatchObject({
      status: 'completed',
      error_code: null,
      asset_status: 'deleting',
      refs: 0,
    });
  });
});

describe('known files', () => {
  it('S3-08 are answered with their result at once, and every session holds a reference', async () => {
    const file = videoBytes(1000);
    const request = { file_hash: sha256(file) };
    const first = await created(url, request);
    expect((await created(url, request)).duplicate).toBe(false);
    await put(url, first.session_id, 0, file);
    await publish(stack, first.session_id);
    const second = await created(url, request);
    expect(second).toMatchObject({ duplicate: true, status: 'completed', job_id: first.job_id });
    expect((await look(url, second.session_id)).body.data).toMatchObject({
      progress_percentage: 100,
      status: 'completed',
      sha256: sha256(file),
      missing: [],
    });
    expect(await eventsOf(stack, first.session_id)).toContain('duplicate_detected');
    expect(await jobOf(stack, first.session_id)).toMatchObject({ refs: 2, asset_status: 'ready' });
    await cancel(url, first.session_id);
    expect(await jobOf(stack, second.session_id)).toMatchObject({
      refs: 1,
      asset_status: 'ready',
      status: 'completed',
    });
    await cancel(url, second.session_id);
    expect(await jobOf(stack, second.session_id)).toMatchObject({
      refs: 0,
      asset_status: 'deleting',
      status: 'completed',
    });
    expect((await created(url, request)).duplicate).toBe(false);
  });
});
