import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import { type GatewayAlone, problem, startGatewayAlone, type Upload } from './rows.js';

let gateway: GatewayAlone;
beforeAll(async () => {
  gateway = await startGatewayAlone({ WEBSOCKET_ENABLED: 'false' });
});
afterAll(() => gateway?.stop());

const purge = (jobId: string, query = 'purge=true') =>
  gateway.get(`/jobs/${jobId}?${query}`, { method: 'DELETE' });
const completed = async (share?: Upload): Promise<Upload> => {
  const upload = await gateway.insertUpload(share);
  await gateway.database.query(
    `UPDATE jobs SET status = 'completed', source_complete = true, completed_at = now(), result = '{}' WHERE id = $1`,
    [upload.jobId],
  );
  await gateway.database.query(`UPDATE upload_sessions SET status = 'completed' WHERE id = $1`, [
    upload.sessionId,
  ]);
  await gateway.database.query(
    `UPDATE assets SET status = 'ready', refs = refs + $2, result = '{}' WHERE id = $1`,
    [...[upload.assetId, share ? 1 : 0]],
  );
  return upload;
};
const assetOf = async ({ assetId }: Upload) =>
  (await gateway.database.query('SELECT status, refs FROM assets WHERE id = $1', [assetId]))[0];
const sessionOf = async ({ sessionId }: Upload) =>
  (await gateway.database.query('SELECT status, job_id FROM upload_sessions WHERE id = $1', [sessionId]))[0];

describe('DELETE /jobs/:id?purge=true', () => {
  it('removes a finished job with its uploads, its events and its media', async () => {
    const upload = await completed();
    const second = await completed(upload);
    await gateway.record(upload.jobId, { type: 'processing_completed', durable: true });
    const answer = await purge(upload.jobId);
    expect([answer.status, await answer.json()]).toEqual([200, { id: upload.jobId, purged: true }]);
    expect(await problem(await gateway.get(`/jobs/${upload.jobId}`))).toEqual([404, 'job_not_found']);
    expect(
      await gateway.database.query('SELECT 1 FROM progress_events WHERE job_id = $1', [upload.jobId]),
    ).toEqual([]);
    expect(await assetOf(upload)).toEqual({ status: 'deleting', refs: 0 });
    for (const one of [upload, second])
      expect(await sessionOf(one)).toEqual({ status: 'cancelled', job_id: null });
    expect(await problem(await purge(upload.jobId))).toEqual([404, 'job_not_found']);
  });

  it('S3-08 leaves the media to a job that shares it, with what its rows say of it', async () => {
    const first = await completed();
    const second = await completed();
    await gateway.insertRendition(first, '240p', true);
    await gateway.database.query(
      `UPDATE jobs SET scan = CASE WHEN id = $1 THEN 'clean' ELSE 'pending' END WHERE id = ANY($2)`,
      [first.jobId, [first.jobId, second.jobId]],
    );
    await gateway.database.query('UPDATE jobs SET asset_id = $2, waits_for = $3 WHERE id = $1', [
      second.jobId,
      first.assetId,
      first.jobId,
    ]);
    await gateway.database.query('UPDATE upload_sessions SET asset_id = $2 WHERE id = $1', [
      second.sessionId,
      first.assetId,
    ]);
    await gateway.database.query('UPDATE assets SET refs = 2 WHERE id = $1', [first.assetId]);
    expect((await purge(first.jobId)).status).toBe(200);
    expect(await assetOf(first)).toEqual({ status: 'ready', refs: 1 });
    const view = await (await gateway.get(`/jobs/${second.jobId}`)).json();
    expect(view).toMatchObject({
      status: 'completed',
      renditions: [{ name: '240p' }],
      playback: { hls: expect.any(String) },
    });
    expect(await gateway.database.query('SELECT scan FROM jobs WHERE id = $1', [second.jobId])).toEqual([
      { scan: 'clean' },
    ]);
    await purge(second.jobId);
    expect(await assetOf(first)).toEqual({ status: 'deleting', refs: 0 });
  });

  it.each([
    ['its job', 'jobs'],
    ['its asset alone', 'assets'],
  ])('S3-08 leaves the media to an upload that is given %s meanwhile', async (_what, locked) => {
    const first = await completed();
    const isJob = locked === 'jobs';
    let answer: Promise<Response> | undefined;
    await gateway.database.transaction(async (manager) => {
      await manager.query(`SELECT 1 FROM ${locked} WHERE id = $1 FOR UPDATE`, [
        isJob ? first.jobId : first.assetId,
      ]);
      answer = purge(first.jobId);
      const waiting = async () =>
        (await gateway.database.query('SELECT 1 FROM pg_locks WHERE NOT granted LIMIT 1')).length > 0;
      await waitFor(waiting, { what: 'the purge to wait for the lock' });
      await manager.query('UPDATE assets SET refs = refs + 1 WHERE id = $1', [first.assetId]);
      await manager.query(
        `INSERT INTO upload_sessions (id, tenant_id, job_id, asset_id, filename, status, user_id, expires_at)
         VALUES (gen_random_uuid(), 'default', $1, $2, 'again.mp4', 'completed', 'other', now())`,
        [isJob ? first.jobId : null, first.assetId],
      );
    });
    expect((await answer)?.status).toBe(200);
    expect(await assetOf(first)).toEqual(
      isJob ? { status: 'deleting', refs: 0 } : { status: 'ready', refs: 1 },
    );
  });

  it('cancels one that is open first', async () => {
    const upload = await gateway.insertUpload();
    expect((await purge(upload.jobId)).status).toBe(200);
    expect(await assetOf(upload)).toEqual({ status: 'deleting', refs: 0 });
    expect(await sessionOf(upload)).toEqual({ status: 'cancelled', job_id: null });
  });

  it('refuses what is no answer to whether, and a job that is not there', async () => {
    const upload = await completed();
    expect(await problem(await purge(upload.jobId, 'purge=yes'))).toEqual([400, 'validation_failed']);
    expect(await problem(await purge(randomUUID()))).toEqual([404, 'job_not_found']);
    expect(await assetOf(upload)).toEqual({ status: 'ready', refs: 1 });
  });

  it('S1-06 early addresses lead to the finished playlists when the rows of the job are gone', async () => {
    const upload = await completed();
    const early = (path: string) => gateway.get(`/media/${upload.assetId}/${path}`, { redirect: 'manual' });
    await gateway.database.query('DELETE FROM jobs WHERE id = $1', [upload.jobId]);
    for (const [path, to] of [
      ['early.m3u8', 'master.m3u8'],
      ['early-ts.m3u8', 'master-ts.m3u8'],
      ['240p/early.m3u8', 'index.m3u8'],
    ] as const) {
      const answer = await early(path);
      expect([answer.status, answer.headers.get('location')]).toEqual([307, to]);
    }
    await gateway.database.query(`UPDATE assets SET status = 'deleting' WHERE id = $1`, [upload.assetId]);
    expect(await problem(await early('early.m3u8'))).toEqual([404, 'not_playable_yet']);
  });
});
