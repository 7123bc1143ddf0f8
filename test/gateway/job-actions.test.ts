import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JobView, type QuarantinedWork, toQueuePriority } from '#contracts';
import { QueueProducer } from '#queue';
import { type GatewayAlone, problem, startGatewayAlone } from './rows.js';

let gateway: GatewayAlone;
let queues: QueueProducer;
beforeAll(async () => {
  gateway = await startGatewayAlone({ WEBSOCKET_ENABLED: 'false' });
  queues = new QueueProducer(gateway.stack.redisUrl, 'test');
});
afterAll(async () => {
  await queues?.close();
  await gateway?.stop();
});

const send = (path: string, body: unknown, method = 'POST') =>
  gateway.get(path, {
    method,
    ...(body === undefined
      ? {}
      : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
const set = (jobId: string, change: string) =>
  gateway.database.query(`UPDATE jobs SET ${change} WHERE id = $1`, [jobId]);

describe('POST /jobs/:id/priority', () => {
  it('S3-12 moves the rows of a job and its entries, before those that were first', async () => {
    const jobs = [await gateway.insertUpload(), await gateway.insertUpload()].map(({ jobId }) => jobId);
    for (const jobId of jobs) {
      await set(jobId, 'source_complete = true');
      await queues.enqueue('plan', { jobId }, { priority: toQueuePriority(5) });
    }
    const second = jobs[1] as string;
    const view = (await (await send(`/jobs/${second}/priority`, { priority: 9 })).json()) as JobView;
    expect(view).toMatchObject({ priority: 9, place_in_line: 1 });
    const entry = await queues.queue('plan').getJob(`plan-${second}`);
    expect(entry?.priority).toBe(toQueuePriority(9));
    const other = await queues.queue('plan').getJob(`plan-${jobs[0]}`);
    expect(other?.priority).toBe(toQueuePriority(5));
  });

  it('moves spans that wait, and the work that it shares', async () => {
    const working = await gateway.insertUpload();
    const waiting = await gateway.insertUpload();
    await set(working.jobId, `status = 'processing', source_complete = true`);
    await set(waiting.jobId, `source_complete = true, waits_for = '${working.jobId}'`);
    const spanId = randomUUID();
    await gateway.database.query(
      `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, segment_count, params, released)
       VALUES ($1, 'default', $2, 'video', 0, '{240p}', 0, 1, '{}', true)`,
      [spanId, working.jobId],
    );
    await queues.enqueue('span', { jobId: working.jobId, spanId }, { priority: toQueuePriority(5) + 1 });
    expect((await send(`/jobs/${waiting.jobId}/priority`, { priority: 10 })).status).toBe(200);
    const entry = await queues.queue('span').getJob(`span-${spanId}`);
    expect(entry?.priority).toBe(toQueuePriority(10) + 1);
    expect((await send(`/jobs/${waiting.jobId}/priority`, { priority: 1 })).status).toBe(200);
    expect(await gateway.database.query('SELECT priority FROM jobs WHERE id = $1', [working.jobId])).toEqual([
      { priority: 10 },
    ]);
    await send(`/jobs/${working.jobId}/priority`, { priority: 2 });
    expect(await gateway.database.query('SELECT priority FROM jobs WHERE id = $1', [working.jobId])).toEqual([
      { priority: 2 },
    ]);
    await send(`/jobs/${waiting.jobId}/priority`, { priority: 7 });
    await send(`/jobs/${working.jobId}/priority`, { priority: 3 });
    expect(await gateway.database.query('SELECT priority FROM jobs WHERE id = $1', [working.jobId])).toEqual([
      { priority: 7 },
    ]);
  });

  it('S3-12 gives no turn before others, however often it is asked', async () => {
    const [mine, other] = [await gateway.insertUpload(), await gateway.insertUpload()];
    for (const { jobId } of [mine, other]) {
      await set(jobId, `status = 'processing', source_complete = true`);
      await gateway.database.query(
        `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, segment_count, params, released, status)
         SELECT gen_random_uuid(), 'default', $1, 'video', n, '{240p}', n, 1, '{}', true, CASE n WHEN 0 THEN 'done' ELSE 'pending' END
         FROM generate_series(0, 2) AS n`,
        [jobId],
      );
    }
    await set(mine.jobId, 'stride = 3');
    const turn = async () =>
      (await gateway.database.query('SELECT turn FROM jobs WHERE id = $1', [mine.jobId]))[0].turn;
    for (const priority of [5, 6, 5, 6, 5]) {
      expect((await send(`/jobs/${mine.jobId}/priority`, { priority })).status).toBe(200);
      expect(await turn()).toBe(0);
    }
  });

  it.each([{}, { priority: 0 }, { priority: 11 }, { priority: '5' }, { priority: 5, other: 1 }])(
    'refuses %j',
    async (body) => {
      const { jobId } = await gateway.insertUpload();
      expect(await problem(await send(`/jobs/${jobId}/priority`, body))).toEqual([400, 'validation_failed']);
    },
  );

  it('refuses a job that has ended, one that is not there, and an id that is none', async () => {
    const { jobId } = await gateway.insertUpload();
    await set(jobId, `status = 'completed'`);
    expect(await problem(await send(`/jobs/${jobId}/priority`, { priority: 5 }))).toEqual([409, 'job_ended']);
    expect(await problem(await send(`/jobs/${randomUUID()}/priority`, { priority: 5 }))).toEqual([
      404,
      'job_not_found',
    ]);
    expect(await problem(await send('/jobs/x/priority', { priority: 5 }))).toEqual([400, 'malformed_id']);
  });
});

describe('POST /jobs/:id/retry', () => {
  const failed = async (asset: string, code = 'encode_failed') => {
    const upload = await gateway.insertUpload();
    await set(
      upload.jobId,
      `status = 'failed', source_complete = true, error_code = '${code}', error_message = 'It failed.'`,
    );
    await gateway.database.query('UPDATE assets SET status = $2, held_since = now() WHERE id = $1', [
      upload.assetId,
      asset,
    ]);
    return upload;
  };
  const withSource = async ({ sessionId }: { sessionId: string }) => {
    await gateway.database.query(
      `UPDATE upload_sessions SET status = 'completed', bytes_received = 1000 WHERE id = $1`,
      [sessionId],
    );
    await gateway.database.query(
      `INSERT INTO upload_chunks (session_id, byte_offset, tenant_id, size, hash, storage_path) VALUES ($1, 0, 'default', 1000, $2, $3)`,
      [sessionId, 'a'.repeat(64), `chunks/${sessionId}/0-a`],
    );
  };

  it('refuses what is gone, completed, open, or sent again since', async () => {
    const gone = await failed('deleting');
    expect(await problem(await send(`/jobs/${gone.jobId}/retry`, undefined))).toEqual([410, 'source_gone']);
    const chunkless = await failed('failed');
    expect(await problem(await send(`/jobs/${chunkless.jobId}/retry`, {}))).toEqual([410, 'source_gone']);
    const open = await gateway.insertUpload();
    expect(await problem(await send(`/jobs/${open.jobId}/retry`, {}))).toEqual([409, 'job_open']);
    await set(open.jobId, `status = 'completed'`);
    expect(await problem(await send(`/jobs/${open.jobId}/retry`, {}))).toEqual([409, 'job_not_failed']);

    const twice = await failed('failed');
    await withSource(twice);
    const known = await gateway.insertUpload();
    await gateway.database.query(
      `UPDATE assets SET sha256 = $2, status = CASE WHEN id = $3 THEN 'ready' ELSE status END WHERE id = ANY($1)`,
      [...[[twice.assetId, known.assetId], 'b'.repeat(64), known.assetId]],
    );
    const answer = await send(`/jobs/${twice.jobId}/retry`, {});
    expect([answer.status, await answer.json()]).toMatchObject([
      409,
      { code: 'file_known', details: { job_id: known.jobId } },
    ]);
  });

  it.each([
    { what: 'some' },
    { what: 'rendition' },
    { renditions: ['240p'] },
    { what: 'rendition', renditions: ['9p'] },
    { what: 'rendition', renditions: [] },
    { what: 'all', renditions: ['240p'] },
  ])('refuses %j', async (body) => {
    const upload = await failed('failed');
    expect(await problem(await send(`/jobs/${upload.jobId}/retry`, body))).toEqual([
      400,
      'validation_failed',
    ]);
    expect(await gateway.database.query('SELECT status FROM jobs WHERE id = $1', [upload.jobId])).toEqual([
      { status: 'failed' },
    ]);
  });

  it('S3-08 opens those that shared its work with it, not the one that was cancelled', async () => {
    const working = await failed('failed');
    await withSource(working);
    const [shared, cancelled] = [await failed('provisional'), await failed('provisional', 'cancelled')];
    for (const { jobId, sessionId } of [shared, cancelled]) {
      await set(jobId, `waits_for = '${working.jobId}', asset_id = '${working.assetId}'`);
      await gateway.database.query(`UPDATE upload_sessions SET status = 'completed' WHERE id = $1`, [
        sessionId,
      ]);
    }
    expect((await send(`/jobs/${shared.jobId}/retry`, {})).status).toBe(202);
    const statuses = await gateway.database.query<{ id: string; status: string }[]>(
      'SELECT id, status FROM jobs WHERE id = ANY($1)',
      [[working.jobId, shared.jobId, cancelled.jobId]],
    );
    expect(Object.fromEntries(statuses.map(({ id, status }) => [id, status]))).toEqual({
      [working.jobId]: 'pending',
      [shared.jobId]: 'pending',
      [cancelled.jobId]: 'failed',
    });
    expect(await queues.queue('plan').getJob(`plan-${working.jobId}`)).toBeDefined();
    expect(
      await gateway.database.query('SELECT status, held_since FROM assets WHERE id = $1', [working.assetId]),
    ).toEqual([{ status: 'provisional', held_since: null }]);
  });
});

describe('DELETE /jobs/:id', () => {
  it('cancels a job whose upload is gone, too; not one that has a result', async () => {
    const { jobId, sessionId, assetId } = await gateway.insertUpload();
    await gateway.database.query('DELETE FROM upload_sessions WHERE id = $1', [sessionId]);
    expect((await send(`/jobs/${jobId}`, undefined, 'DELETE')).status).toBe(200);
    expect(await gateway.database.query('SELECT status FROM assets WHERE id = $1', [assetId])).toEqual([
      { status: 'deleting' },
    ]);
    const done = await gateway.insertUpload();
    await set(done.jobId, `status = 'completed'`);
    expect(await problem(await send(`/jobs/${done.jobId}`, undefined, 'DELETE'))).toEqual([409, 'job_ended']);
  });
});

describe('quarantine', () => {
  it('S0-16 lists work that ended its process three times; only its release has it tried again', async () => {
    const upload = await gateway.insertUpload();
    const { jobId, assetId, sessionId } = upload;
    await gateway.insertRendition(upload, '240p', true);
    await set(
      jobId,
      `status = 'failed', source_complete = true, plan = '{}', error_code = 'encode_failed', error_message = 'No.'`,
    );
    await gateway.database.query(`UPDATE assets SET status = 'failed', held_since = now() WHERE id = $1`, [
      assetId,
    ]);
    await gateway.database.query(`UPDATE upload_sessions SET status = 'completed' WHERE id = $1`, [
      sessionId,
    ]);
    await gateway.database.query(
      `INSERT INTO upload_chunks (session_id, byte_offset, tenant_id, size, hash, storage_path) VALUES ($1, 0, 'default', 1000, $2, 'x')`,
      [sessionId, 'a'.repeat(64)],
    );
    const spanId = randomUUID();
    await gateway.database.query(
      `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, segment_count, params, released,
         status, unclean_deaths, lease_number, error_code, error_message)
       VALUES ($1, 'default', $2, 'video', 0, '{240p}', 0, 1, '{}', true, 'failed', 3, 3, 'encode_failed', 'No.')`,
      [spanId, jobId],
    );
    const { data } = (await (await gateway.get('/v1/quarantine')).json()) as {
      data: { work: QuarantinedWork[] };
    };
    expect(data.work).toEqual([
      expect.objectContaining({
        id: spanId,
        job_id: jobId,
        filename: 'clip.mp4',
        unclean_deaths: 3,
        releasable: true,
      }),
    ]);
    const released = await send(`/v1/quarantine/${spanId}/release`, undefined);
    expect([released.status, await released.json()]).toEqual([
      202,
      { success: true, data: { job_id: jobId } },
    ]);
    expect(
      await gateway.database.query('SELECT status, unclean_deaths, lease_number FROM spans WHERE id = $1', [
        spanId,
      ]),
    ).toEqual([{ status: 'pending', unclean_deaths: 0, lease_number: 4 }]);
    expect(await queues.queue('span').getJob(`span-${spanId}`)).toBeDefined();
    expect(await problem(await send(`/v1/quarantine/${spanId}/release`, undefined))).toEqual([
      404,
      'quarantine_not_found',
    ]);
  });

  it('S0-16 a task of an open job that is released is queued at once; one whose job has ended is not', async () => {
    const { jobId } = await gateway.insertUpload();
    await set(jobId, `status = 'processing', source_complete = true, packaged_at = now()`);
    const taskId = randomUUID();
    await gateway.database.query(
      `INSERT INTO finishing_tasks (id, tenant_id, job_id, kind, status, unclean_deaths) VALUES ($1, 'default', $2, 'poster', 'failed', 3)`,
      [taskId, jobId],
    );
    await set(jobId, `status = 'completed'`);
    expect(await problem(await send(`/v1/quarantine/${taskId}/release`, undefined))).toEqual([
      410,
      'source_gone',
    ]);
    await set(jobId, `status = 'processing'`);
    expect((await send(`/v1/quarantine/${taskId}/release`, undefined)).status).toBe(202);
    expect(
      await gateway.database.query('SELECT status, unclean_deaths FROM finishing_tasks WHERE id = $1', [
        taskId,
      ]),
    ).toEqual([{ status: 'pending', unclean_deaths: 0 }]);
    expect(await queues.queue('finishing').getJobCountByTypes('waiting', 'prioritized')).toBe(1);
  });
});
