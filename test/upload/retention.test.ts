import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '#testing';
import {
  cancel,
  created,
  jobOf,
  look,
  objects,
  publish,
  put,
  rowsOf,
  sha256,
  startUploads,
  type UploadStack,
  videoBytes,
} from './support.js';

let stack: UploadStack;
let url: string;
beforeAll(async () => {
  stack = await startUploads(1, {
    RETENTION_INTERVAL_HOURS: '0.0002',
    JOB_RETENTION_DAYS: '1',
    SOURCE_RETENTION_HOURS: '1',
  });
  url = stack.uploads[0] as string;
});
afterAll(() => stack?.stop());

async function uploaded(
  bytes: Buffer,
  request: object = {},
): Promise<{ session: string; job: string; asset: string }> {
  const { session_id: session } = await created(url, { size: bytes.length, ...request });
  await put(url, session, 0, bytes);
  await waitFor(async () => (await look(url, session)).body.data.status === 'completed', {
    what: 'the upload',
  });
  const { id, asset_id } = await jobOf(stack, session);
  return { session, job: String(id), asset: String(asset_id) };
}
const count = async (table: string, column: string, id: string) =>
  (await stack.query(`SELECT 1 FROM ${table} WHERE ${column} = $1`, [id])).length;
const goes = (table: string, id: string) =>
  waitFor(async () => (await count(table, 'id', id)) === 0, { what: `the row of ${table} to go` });
const assetOf = async (id: string) =>
  (await stack.query('SELECT status, refs, result FROM assets WHERE id = $1', [id]))[0];
const endedDaysAgo = (job: string, days: number) =>
  stack.query(
    `UPDATE jobs SET completed_at = now() - $2 * interval '1 day', updated_at = now() - $2 * interval '1 day' WHERE id = $1`,
    [job, days],
  );

describe('S1-06', () => {
  it('the source of a finished job goes after its time; one that is younger stays', async () => {
    const [old, young] = [await uploaded(videoBytes(900)), await uploaded(videoBytes(900))];
    for (const { session } of [old, young]) await publish(stack, session);
    await stack.query(`UPDATE assets SET held_since = now() - interval '2 hours' WHERE id = $1`, [old.asset]);
    await waitFor(async () => (await objects(stack, old.session)).length === 0, { what: 'the chunks to go' });
    expect(await rowsOf(stack, old.session)).toEqual([]);
    expect(await jobOf(stack, old.session)).toMatchObject({
      status: 'completed',
      asset_status: 'ready',
      refs: 1,
    });
    expect((await look(url, old.session)).body.data).toMatchObject({ status: 'completed', missing: [] });
    expect(await objects(stack, young.session)).toHaveLength(1);
  });

  it('rows of a finished job and its events go; its asset stays, and dedup finds it before and after the bytes', async () => {
    const bytes = videoBytes(800);
    const first = await uploaded(bytes);
    await publish(stack, first.session);
    await endedDaysAgo(first.job, 2);
    await goes('jobs', first.job);
    expect(await count('progress_events', 'job_id', first.job)).toBe(0);
    expect((await look(url, first.session)).body.data).toMatchObject({ status: 'completed', job_id: null });

    const promised = await created(url, { size: bytes.length, file_hash: sha256(bytes) });
    expect(promised).toMatchObject({ duplicate: true, status: 'completed' });
    expect(promised.job_id).not.toBe(first.job);
    const sent = await uploaded(bytes);
    for (const session of [promised.session_id, sent.session]) {
      expect(await jobOf(stack, session)).toMatchObject({
        status: 'completed',
        asset_id: first.asset,
        result: { ok: 1 },
      });
    }
    expect(await assetOf(first.asset)).toEqual({ status: 'ready', refs: 3, result: { ok: 1 } });
    for (const session of [first.session, promised.session_id, sent.session]) await cancel(url, session);
    expect(await assetOf(first.asset)).toMatchObject({ status: 'deleting', refs: 0 });
  });

  it('what a job has made goes over to the next one that shares it', async () => {
    const bytes = videoBytes(700);
    const first = await uploaded(bytes);
    const second = await uploaded(bytes);
    expect(second.asset).toBe(first.asset);
    await stack.query(
      `INSERT INTO renditions (id, tenant_id, job_id, asset_id, name, kind, mode, position, timescale, max_bitrate, target_duration)
       VALUES ($1, 'default', $2, $3, '240p', 'video', 'encode', 0, 90000, 1000, 4)`,
      [randomUUID(), first.job, first.asset],
    );
    for (const { session } of [first, second]) await publish(stack, session);
    await endedDaysAgo(first.job, 2);
    await goes('jobs', first.job);
    expect(await count('renditions', 'job_id', second.job)).toBe(1);
    expect(await jobOf(stack, second.session)).toMatchObject({ status: 'completed', waits_for: null });
  });

  it('a failed job takes with it what was kept for another try, then its upload and its asset go', async () => {
    const failed = await uploaded(videoBytes(600));
    await stack.query(
      `UPDATE jobs SET status = 'failed', error_code = 'encode_failed', completed_at = now() - interval '2 days',
         updated_at = now() - interval '2 days' WHERE id = $1`,
      [failed.job],
    );
    await stack.query(`UPDATE assets SET status = 'failed', held_since = now() WHERE id = $1`, [
      failed.asset,
    ]);
    await waitFor(async () => (await assetOf(failed.asset))?.status === 'deleting', {
      what: 'the cleanup to be due',
    });
    await goes('jobs', failed.job);
    // As the cleanup does.
    await stack.query(
      `UPDATE assets SET status = 'deleted', updated_at = now() - interval '2 days' WHERE id = $1`,
      [failed.asset],
    );
    await stack.query(
      `UPDATE upload_sessions SET status = 'failed', updated_at = now() - interval '2 days' WHERE id = $1`,
      [failed.session],
    );
    await goes('upload_sessions', failed.session);
    await goes('assets', failed.asset);
  });

  it('leaves a job that an upload has been given since', async () => {
    const bytes = videoBytes(650);
    const [given, other] = [await uploaded(bytes), await uploaded(videoBytes(660))];
    for (const { session } of [given, other]) await publish(stack, session);
    await stack.query(`UPDATE jobs SET completed_at = now() - interval '2 days' WHERE id = $1`, [given.job]);
    expect(await created(url, { size: bytes.length, file_hash: sha256(bytes) })).toMatchObject({
      job_id: given.job,
      duplicate: true,
    });
    await endedDaysAgo(other.job, 2);
    await goes('jobs', other.job);
    expect(await count('jobs', 'id', given.job)).toBe(1);
  });

  it('leaves what is open, whatever its age', async () => {
    const open = await uploaded(videoBytes(500));
    await stack.query(`UPDATE jobs SET created_at = now() - interval '30 days' WHERE id = $1`, [open.job]);
    const other = await uploaded(videoBytes(500));
    await publish(stack, other.session);
    await endedDaysAgo(other.job, 2);
    await goes('jobs', other.job);
    expect(await jobOf(stack, open.session)).toMatchObject({ status: 'pending' });
  });
});
