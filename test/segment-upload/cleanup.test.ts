import { randomUUID } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chunkKey } from '#contracts';
import { waitFor } from '#testing';
import { Scene, type SceneJob } from './scene.js';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.start();
});
afterAll(() => scene?.stop());

const put = async (key: string) => {
  const path = join(scene.stack.storageDir, key);
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, 'bytes');
};
const putChunk = async (job: SceneJob) => {
  const key = chunkKey(job.sessionId, 0, 'a');
  await put(key);
  await scene.stack.query(
    `INSERT INTO upload_chunks (session_id, byte_offset, tenant_id, size, hash, storage_path)
     VALUES ($1, 0, 'default', 5, $2, $3)`,
    [job.sessionId, 'c'.repeat(64), key],
  );
};
/** As whoever ends a job does it; the lease of its span still runs. */
const cancel = async (job: SceneJob, lease: string) => {
  await scene.stack.query(
    `WITH j AS (UPDATE jobs SET status = 'failed', error_code = 'cancelled', error_message = 'gone' WHERE id = $1),
       s AS (UPDATE spans SET status = 'cancelled', lease_expires_at = now() + $3::interval WHERE job_id = $1)
     UPDATE assets SET status = 'deleting', deleting_since = now() WHERE id = $2`,
    [job.jobId, job.assetId, lease],
  );
};
const assetStatus = async (job: SceneJob) =>
  (await scene.one('SELECT status FROM assets WHERE id = $1', [job.assetId])).status;
const left = async (job: SceneJob) => [
  ...(await scene.objects(`media/${job.assetId}`)),
  ...(await scene.objects(`chunks/${job.sessionId}`)),
];

describe('cleaning up', () => {
  it('S3-03 leaves no object and no row of one, not even of a writer that was late', async () => {
    const job = await scene.job({ sessionStatus: 'cancelled' });
    await scene.fill(job);
    await putChunk(job);
    await cancel(job, '3 seconds');
    await waitFor(async () => (await left(job)).length === 0, { what: 'the objects to go' });
    expect(await assetStatus(job)).toBe('deleting');
    await put(`media/${job.assetId}/360p/seg_0002-00000000.m4s`);
    await waitFor(async () => (await assetStatus(job)) === 'deleted', { what: 'the asset to be deleted' });
    expect(await left(job)).toEqual([]);
    const rows = await scene.one(
      `SELECT (SELECT count(*) FROM segments WHERE job_id = $1) + (SELECT count(*) FROM upload_chunks WHERE session_id = $2) AS n`,
      [job.jobId, job.sessionId],
    );
    expect(Number(rows.n)).toBe(0);
    await scene.idle('cleanup');
  });

  it('waits for LEASE_SECONDS even when no lease is known to run', async () => {
    const job = await scene.job({ sessionStatus: 'cancelled' });
    const before = Date.now();
    await cancel(job, '-1 hour');
    await waitFor(async () => (await assetStatus(job)) === 'deleted', { what: 'the asset to be deleted' });
    expect(Date.now() - before).toBeGreaterThanOrEqual(1900);
  });

  it('takes the parts that a tus upload was put together from', async () => {
    const job = await scene.job({ sessionStatus: 'cancelled' });
    const part = randomUUID();
    const key = chunkKey(part, 0, 'a');
    await put(key);
    await scene.stack.query(
      `INSERT INTO upload_sessions (id, tenant_id, filename, status, tus_metadata, tus_concat, final_id, expires_at)
       VALUES ($1, 'default', 'partial', 'completed', '', 'partial', $2, now())`,
      [part, job.sessionId],
    );
    await cancel(job, '0 seconds');
    await waitFor(async () => (await assetStatus(job)) === 'deleted', { what: 'the asset to be deleted' });
    expect(await scene.objects(`chunks/${part}`)).toEqual([]);
  });

  it('takes the source of a job that failed, and tells a client that still sends', async () => {
    const job = await scene.job({ sessionStatus: 'active' });
    await putChunk(job);
    await cancel(job, '0 seconds');
    await waitFor(async () => (await assetStatus(job)) === 'deleted', { what: 'the asset to be deleted' });
    expect(await left(job)).toEqual([]);
    expect(
      await scene.one('SELECT status, error_code FROM upload_sessions WHERE id = $1', [job.sessionId]),
    ).toEqual({ status: 'failed', error_code: 'cancelled' });
  });

  it('never touches an asset that is not being deleted', async () => {
    const job = await scene.job({ sessionStatus: 'cancelled' });
    await scene.handOver(scene.prepare(job, 0));
    await putChunk(job);
    await scene.queues.enqueue('cleanup', { assetId: job.assetId });
    await scene.idle('cleanup');
    expect(await left(job)).toHaveLength(2);
    expect(await assetStatus(job)).toBe('provisional');
  });
});

describe('what a failed job has left for another try', () => {
  const failed = async (heldSince: string): Promise<SceneJob> => {
    const job = await scene.job();
    await putChunk(job);
    await scene.stack.query(
      `WITH j AS (UPDATE jobs SET status = 'failed', error_code = 'encode_failed', error_message = 'no' WHERE id = $1),
         s AS (UPDATE spans SET status = 'failed', lease_expires_at = NULL WHERE job_id = $1)
       UPDATE assets SET status = 'failed', held_since = now() - $3::interval WHERE id = $2`,
      [job.jobId, job.assetId, heldSince],
    );
    return job;
  };

  it('S1-06 goes after its time, and not before; in quarantine it waits for the operator', async () => {
    const [young, poison] = [await failed('23 hours'), await failed('23 hours')];
    await scene.stack.query('UPDATE spans SET unclean_deaths = 3 WHERE job_id = $1', [poison.jobId]);
    await scene.stack.query(`UPDATE assets SET held_since = now() - interval '9 days' WHERE id = $1`, [
      poison.assetId,
    ]);
    const old = await failed('25 hours');
    await waitFor(async () => (await assetStatus(old)) === 'deleted', {
      ...{ what: 'the asset to be deleted', timeoutMs: 30_000 },
    });
    expect(await left(old)).toEqual([]);
    for (const kept of [young, poison]) {
      expect(await assetStatus(kept)).toBe('failed');
      expect(await left(kept)).toHaveLength(1);
    }
  });
});
