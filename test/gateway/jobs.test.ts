import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JobView, NO_PLAYBACK } from '#contracts';
import { type GatewayAlone, problem, startGatewayAlone } from './rows.js';

let gateway: GatewayAlone;
beforeAll(async () => {
  gateway = await startGatewayAlone({ WEBSOCKET_ENABLED: 'false' });
});
afterAll(() => gateway?.stop());

const viewOf = async (jobId: string) => (await (await gateway.get(`/jobs/${jobId}`)).json()) as JobView;

describe('a job as rows tell it', () => {
  it('S1-02 has the fields of the contract and the twenty newest events, newest first', async () => {
    const upload = await gateway.insertUpload();
    await gateway.insertRendition(upload, '240p', true);
    for (let index = 1; index <= 22; index += 1) {
      await gateway.record(upload.jobId, {
        type: 'processing_progress',
        durable: true,
        progress: index,
        message: `at ${index}`,
      });
    }
    const response = await gateway.get(`/jobs/${upload.jobId}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('cache-control')).toBe('no-store');
    const view = (await response.json()) as JobView;
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect(view).toEqual({
      id: upload.jobId,
      key: null,
      bucket: null,
      status: 'pending',
      stage: 'uploading',
      progress: 22,
      workflow_id: null,
      error_code: null,
      error_message: null,
      result: null,
      created_at: time,
      updated_at: time,
      completed_at: null,
      latest_events: expect.any(Array),
      tenant_id: 'default',
      priority: 5,
      session_id: upload.sessionId,
      batch_id: null,
      user_id: null,
      filename: 'clip.mp4',
      seq: 22,
      bytes_received: 250,
      bytes_total: 1000,
      renditions: [
        {
          name: '240p',
          kind: 'video',
          mode: 'encode',
          width: 426,
          height: 240,
          segments_completed: 0,
          segments_total: null,
        },
      ],
      playback: NO_PLAYBACK,
      waiting_for: 'upload',
      place_in_line: null,
      waiting_message: 'The rest of the file is still to be sent.',
      may_start_at: null,
      failure: null,
      speed: null,
      eta_seconds: null,
      warnings: [],
    });
    expect(view.latest_events).toHaveLength(20);
    expect(view.latest_events[0]).toEqual({
      stage: 'uploading',
      progress: 22,
      message: 'at 22',
      created_at: time,
    });
    expect(view.latest_events[19]?.message).toBe('at 3');
  });

  it('S3-04 says what a job waits for that nobody works on yet', async () => {
    const { jobId } = await gateway.insertUpload();
    const states = [
      ['upload', `source_complete = false`],
      ['scan', `source_complete = true, scan = 'pending'`],
      ['place', `scan = 'clean'`],
      [null, `plan_lease_expires_at = now() + interval '1 minute'`],
      [null, `plan_lease_expires_at = NULL, status = 'processing'`],
    ] as const;
    for (const [expected, change] of states) {
      await gateway.stack.query(`UPDATE jobs SET ${change} WHERE id = $1`, [jobId]);
      expect((await viewOf(jobId)).waiting_for).toBe(expected);
    }
  });

  it('S3-04 says which place in line a job has, by priority and age', async () => {
    const jobs: string[] = [];
    for (const priority of [5, 5, 8]) {
      const { jobId } = await gateway.insertUpload();
      await gateway.stack.query('UPDATE jobs SET source_complete = true, priority = $2 WHERE id = $1', [
        ...[jobId, priority],
      ]);
      jobs.push(jobId);
    }
    const places = await Promise.all(jobs.map(async (job) => (await viewOf(job)).place_in_line));
    expect(places).toEqual([2, 3, 1]);
    expect((await viewOf(jobs[1] as string)).waiting_message).toContain('number 3 in line');
    await gateway.stack.query(`UPDATE jobs SET status = 'processing' WHERE id = ANY($1)`, [jobs]);
    expect((await viewOf(jobs[0] as string)).place_in_line).toBeNull();
  });

  it('S0-17 tells speed and what is left while segments come, and neither of work that waits', async () => {
    const { jobId } = await gateway.insertUpload();
    const samples = [0, 2, 4, 6].map((second) => ({
      ...{ age: 7 - second, bytes: 1000, lanes: { video: [2 * second, 100] } },
    }));
    const measured = (seconds: number) =>
      gateway.stack.query(
        `UPDATE jobs SET status = 'processing', stage = 'transcoding', source_complete = true, pace =
           (SELECT jsonb_agg(s || jsonb_build_object('at', extract(epoch FROM clock_timestamp()) - (s ->> 'age')::float - $3))
            FROM jsonb_array_elements($2) AS s) WHERE id = $1`,
        [jobId, JSON.stringify(samples), seconds],
      );
    await measured(0);
    expect(await viewOf(jobId)).toMatchObject({ speed: 2, eta_seconds: 43 });
    await measured(60);
    expect(await viewOf(jobId)).toMatchObject({ speed: null, eta_seconds: null });
    await measured(0);
    await gateway.stack.query(`UPDATE jobs SET stage = 'packaging' WHERE id = $1`, [jobId]);
    expect(await viewOf(jobId)).toMatchObject({ speed: null, eta_seconds: null });
  });

  it('S1-02 an unknown job is 404, a malformed id is 400', async () => {
    const unknown = await gateway.get(`/jobs/${randomUUID()}`);
    expect(await problem(unknown)).toEqual([404, 'job_not_found']);
    for (const id of ['1', 'x'.repeat(36), "';--", '%00']) {
      const malformed = await gateway.get(`/jobs/${id}`);
      expect(await problem(malformed)).toEqual([400, 'malformed_id']);
    }
  });

  it('says where to play: early while it runs, HLS and DASH once all is stored, nowhere when its media goes', async () => {
    const { jobId, assetId } = await gateway.insertUpload();
    const set = (column: string) =>
      gateway.database.query(`UPDATE jobs SET ${column} WHERE id = $1`, [jobId]);
    await set("status = 'processing', playable_at = now()");
    expect((await viewOf(jobId)).playback).toEqual({
      ...NO_PLAYBACK,
      early: `/media/${assetId}/early.m3u8`,
    });
    await set('packaged_at = now()');
    expect((await viewOf(jobId)).playback).toEqual({
      ...NO_PLAYBACK,
      early: `/media/${assetId}/early.m3u8`,
      hls: `/media/${assetId}/master.m3u8`,
      dash: `/media/${assetId}/manifest.mpd`,
    });
    await set("status = 'completed', stage = 'completed', progress = 100, completed_at = now()");
    expect((await viewOf(jobId)).playback).toEqual({
      ...NO_PLAYBACK,
      hls: `/media/${assetId}/master.m3u8`,
      dash: `/media/${assetId}/manifest.mpd`,
    });
    await gateway.database.query("UPDATE assets SET status = 'deleting' WHERE id = $1", [assetId]);
    expect((await viewOf(jobId)).playback).toEqual(NO_PLAYBACK);
    await set("status = 'failed', error_code = 'cancelled', error_message = 'The upload was cancelled.'");
    expect(await viewOf(jobId)).toMatchObject({
      status: 'failed',
      error_code: 'cancelled',
      error_message: expect.any(String),
    });
  });

  it('is told even when its session has been removed', async () => {
    const { jobId, sessionId } = await gateway.insertUpload();
    await gateway.database.query('DELETE FROM upload_sessions WHERE id = $1', [sessionId]);
    expect(await viewOf(jobId)).toMatchObject({
      id: jobId,
      session_id: null,
      filename: null,
      bytes_received: 0,
      bytes_total: null,
    });
  });
});

it('tells the page where to upload and what', async () => {
  expect(await (await gateway.get('/config.json')).json()).toEqual({
    upload_url: 'http://127.0.0.1:4101',
    max_file_size: 524_288_000,
    max_chunk_size: 10_485_760,
    allowed_extensions: '.mp4,.m4v,.mov,.avi,.mkv,.webm,.ogg,.ogv,.3gp,.ts,.m2ts'.split(','),
    needs_token: false,
  });
});

it('S1-09 health names the service', async () => {
  expect(await (await gateway.get('/health')).json()).toEqual({
    status: 'ok',
    service: 'gateway',
    version: expect.any(String),
  });
});

it('S3-04 WEBSOCKET_ENABLED=false leaves the sockets out and nothing else', async () => {
  expect((await gateway.get('/socket.io/?EIO=4&transport=polling')).status).toBe(404);
});
