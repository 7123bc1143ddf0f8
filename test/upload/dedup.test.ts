import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EDGE_BYTES, type KnownFileData } from '#contracts';
import { waitFor } from '#testing';
import {
  assembled,
  call,
  cancel,
  codeOf,
  created,
  eventsOf,
  expectNothingLeft,
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

const CHUNK = 1024 * 1024;
let stack: UploadStack;
let url: string;

beforeAll(async () => {
  stack = await startUploads(2, {
    UPLOAD_MAX_CHUNK_SIZE: String(CHUNK),
    UPLOAD_MAX_FILE_SIZE: String(8 * CHUNK),
  });
  url = stack.uploads[0]!;
});
afterAll(() => stack?.stop());

/** Sends all of the file and answers with its session. */
async function sent(file: Buffer, to = url, request: { file_hash?: string } = {}): Promise<string> {
  const { session_id: id } = await created(to, { size: file.length, ...request });
  for (let at = 0; at < file.length; at += CHUNK)
    expect((await put(to, id, at, file.subarray(at, at + CHUNK))).status).toBe(200);
  return id;
}

async function start(session: string): Promise<{ spans: string[]; rendition: string }> {
  const { id, asset_id } = await jobOf(stack, session);
  const rendition = randomUUID();
  const spans = [randomUUID(), randomUUID(), randomUUID()];
  await stack.query(
    `UPDATE jobs SET status = 'processing', stage = 'transcoding', progress = 40, plan = '{"some":"plan"}' WHERE id = $1`,
    [id],
  );
  await stack.query(
    `INSERT INTO renditions (id, tenant_id, job_id, asset_id, name, kind, mode, position, timescale, max_bitrate, target_duration)
     VALUES ($1, 'default', $2, $3, '240p', 'video', 'encode', 0, 1000, 1000, 4)`,
    [rendition, id, asset_id],
  );
  await stack.query(
    `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, segment_count, params, status, lease_number, lease_owner)
     SELECT unnest($1::uuid[]), 'default', $2, 'video', generate_series(0, 2), '{240p}', generate_series(0, 2), 1, '{}',
       unnest('{done,running,pending}'::text[]), 1, 'w'`,
    [spans, id],
  );
  await stack.query(
    `INSERT INTO segments (rendition_id, segment_index, tenant_id, job_id, span_id, lease_number, start_ticks, duration_ticks, size, sha256, storage_path)
     VALUES ($1, 0, 'default', $2, $3, 1, 0, 4000, 10, $4, 'media/x')`,
    [rendition, id, spans[0], 'a'.repeat(64)],
  );
  return { spans, rendition };
}

const assetOf = async (session: string) => {
  const [row] = await stack.query(
    'SELECT a.* FROM assets a JOIN upload_sessions s ON s.asset_id = a.id WHERE s.id = $1',
    [session],
  );
  return row!;
};

describe('a file that is known when it is complete', () => {
  it('S3-08 has its result at once, its bytes go, and it ends with the asset that was there', async () => {
    const file = videoBytes(3000);
    const first = await sent(file);
    await publish(stack, first);
    const second = await sent(file, stack.uploads[1]);
    const job = await jobOf(stack, second);
    expect(job).toMatchObject({ status: 'completed', result: { ok: 1 }, refs: 2, asset_status: 'ready' });
    expect(job.id).not.toBe((await jobOf(stack, first)).id);
    expect(await eventsOf(stack, second)).toEqual([
      'upload_started',
      'upload_completed',
      'duplicate_detected',
      'processing_completed',
    ]);
    expect((await look(url, second)).body.data).toMatchObject({
      ...{ status: 'completed', sha256: sha256(file), missing: [], progress_percentage: 100 },
    });
    // A client whose last answer was lost sends it again.
    const again = await put(url, second, 0, file);
    expect(again).toMatchObject({ status: 200, body: { data: { written: false, status: 'completed' } } });
    await expectNothingLeft(stack, second);
    expect((await assembled(stack, first)).equals(file)).toBe(true);
  });

  it('S3-08 cancelling either of the two leaves the other as it is', async () => {
    const file = videoBytes(3000);
    const ids = [await sent(file)];
    await publish(stack, ids[0]!);
    ids.push(await sent(file), await sent(file));
    for (const [index, id] of ids.entries()) {
      await cancel(url, id);
      expect(await assetOf(ids[2]!)).toMatchObject({
        refs: 2 - index,
        status: index === 2 ? 'deleting' : 'ready',
      });
      expect(await jobOf(stack, ids[2]!)).toMatchObject({ status: 'completed', error_code: null });
    }
  });

  it('S3-08 of another profile, or of a tenant of its own, is not known', async () => {
    const file = videoBytes(3000);
    const first = await sent(file);
    await publish(stack, first);
    await stack.query(`UPDATE assets SET tenant_id = 'other' WHERE id = $1`, [(await assetOf(first)).id]);
    expect(await jobOf(stack, await sent(file))).toMatchObject({ status: 'pending', waits_for: null });
    expect((await created(url, { size: 3000, file_hash: sha256(file) })).duplicate).toBe(true);
    expect((await created(url, { size: 3001, file_hash: sha256(file) })).duplicate).toBe(false);
  });
});

describe('a file that is being processed', () => {
  it('S3-08 is waited for, by who has sent it and by who only knows its hash', async () => {
    const file = videoBytes(3000);
    const first = await sent(file);
    const { id: working } = await jobOf(stack, first);
    const second = await sent(file);
    const third = await created(url, { size: 3000, file_hash: sha256(file), priority: 8 });
    expect(await stack.query('SELECT priority FROM jobs WHERE id = $1', [working])).toEqual([
      { priority: 8 },
    ]);
    expect(third).toMatchObject({ status: 'completed', duplicate: true });
    for (const id of [second, third.session_id]) {
      expect(await jobOf(stack, id)).toMatchObject({ status: 'pending', waits_for: working, refs: 3 });
      expect(await eventsOf(stack, id)).toContain('duplicate_detected');
      await expectNothingLeft(stack, id);
    }
    await cancel(url, second);
    expect(await jobOf(stack, second)).toMatchObject({ status: 'failed', error_code: 'cancelled' });
    expect(await jobOf(stack, first)).toMatchObject({ status: 'pending', refs: 2, waits_for: null });
    expect((await assembled(stack, first)).equals(file)).toBe(true);
  });

  it('S3-08 of two that race, in two processes, one is processed and the other waits', async () => {
    for (let round = 0; round < 5; round += 1) {
      const file = videoBytes(2000 + round);
      const ids = await Promise.all(stack.uploads.flatMap((to) => [sent(file, to), sent(file, to)]));
      const jobs = await Promise.all(ids.map((id) => jobOf(stack, id)));
      const [working, ...others] = jobs.filter((job) => job.waits_for === null);
      expect(others).toEqual([]);
      for (const job of jobs) {
        expect(job).toMatchObject({ asset_id: working!.asset_id, refs: 4, source_complete: true });
        if (job !== working) expect(job.waits_for).toBe(working!.id);
      }
      const kept = await Promise.all(ids.map((id) => objects(stack, id)));
      expect(kept.filter((keys) => keys.length > 0)).toHaveLength(1);
    }
  });

  it('S3-08 goes on for those that wait when its own upload is cancelled', async () => {
    const file = videoBytes(3000);
    const [first, second] = [await sent(file), await sent(file)];
    const third = (await created(url, { size: 3000, file_hash: sha256(file) })).session_id;
    const { spans, rendition } = await start(first);
    const before = await jobOf(stack, first);
    expect((await cancel(url, first)).status).toBe(200);
    expect(await jobOf(stack, first)).toMatchObject({ status: 'failed', error_code: 'cancelled' });
    const heir = await jobOf(stack, second);
    expect(heir).toMatchObject({
      ...{ status: 'processing', stage: 'transcoding', progress: 40, plan: before.plan, waits_for: null },
      ...{ asset_id: before.asset_id, asset_status: 'provisional', refs: 2 },
    });
    expect(await jobOf(stack, third)).toMatchObject({ status: 'pending', waits_for: heir.id });
    const moved = await stack.query('SELECT * FROM spans WHERE job_id = $1 ORDER BY position', [heir.id]);
    expect(moved.map(({ id, status, lease_number }) => [id, status, lease_number])).toEqual([
      [spans[0], 'done', 1],
      [spans[1], 'pending', 2],
      [spans[2], 'pending', 2],
    ]);
    const [segment] = await stack.query('SELECT * FROM segments WHERE rendition_id = $1', [rendition]);
    expect(segment?.job_id).toBe(heir.id);
    expect(await rowsOf(stack, first)).toEqual([]);
    expect((await assembled(stack, second)).equals(file)).toBe(true);
    // The last of them takes the source with it, wherever it lies.
    await cancel(url, second);
    expect(await jobOf(stack, third)).toMatchObject({ status: 'processing', refs: 1 });
    expect((await assembled(stack, third)).equals(file)).toBe(true);
    await cancel(url, third);
    expect(await assetOf(third)).toMatchObject({ status: 'deleting', refs: 0 });
    for (const id of [first, second, third]) await expectNothingLeft(stack, id);
  });

  it('S3-08 that is not planned yet is planned for its heir', async () => {
    const file = videoBytes(3000);
    const [first, second] = [await sent(file), await sent(file)];
    await cancel(url, first);
    const heir = await jobOf(stack, second);
    expect(heir).toMatchObject({ status: 'pending', waits_for: null, source_complete: true, plan: null });
    expect((await assembled(stack, second)).equals(file)).toBe(true);
  });

  it('S3-08 is found, handed over or given up, whatever is cancelled at the same time', async () => {
    for (let round = 0; round < 4; round += 1) {
      const file = videoBytes(3000);
      const ids = [await sent(file), await sent(file), await sent(file, stack.uploads[1])];
      await start(ids[0]!);
      const late = created(stack.uploads[1]!, { size: 3000, file_hash: sha256(file) });
      const [a, b] = await Promise.all([cancel(url, ids[0]!), cancel(stack.uploads[1]!, ids[1]!)]);
      expect([a, b].map(({ status }) => status)).toEqual([200, 200]);
      const { session_id, duplicate } = await late;
      expect(duplicate).toBe(true);
      const left = await Promise.all([ids[2]!, session_id].map((id) => jobOf(stack, id)));
      const [working, ...more] = left.filter((job) => job.waits_for === null);
      expect(more).toEqual([]);
      expect(working).toMatchObject({ status: 'processing', refs: 2, asset_status: 'provisional' });
      expect(left.find((job) => job !== working)).toMatchObject({ waits_for: working!.id });
      const [{ n } = {}] = await stack.query('SELECT count(*)::int AS n FROM spans WHERE job_id = $1', [
        working!.id,
      ]);
      expect(n).toBe(3);
    }
  });

  it('S3-08 is handed over whole, or not at all, when the process is killed meanwhile', async () => {
    const file = videoBytes(3000);
    const [first, second] = [await sent(file), await sent(file)];
    await start(first);
    const { id: working } = await jobOf(stack, first);
    const cancelling = cancel(stack.uploads[1]!, first).catch(() => null);
    await stack.kill('upload', 'SIGKILL', 1);
    await cancelling;
    await stack.restart('upload', 1);
    const jobs = await Promise.all([first, second].map((id) => jobOf(stack, id)));
    const owner = jobs.find((job) => job.status === 'processing');
    expect(jobs.filter((job) => job.status === 'processing')).toHaveLength(1);
    expect(owner?.waits_for).toBeNull();
    const [{ n } = {}] = await stack.query('SELECT count(*)::int AS n FROM spans WHERE job_id = $1', [
      owner?.id,
    ]);
    expect(n).toBe(3);
    expect((await assembled(stack, owner?.id === working ? first : second)).equals(file)).toBe(true);
  });
});

describe('the cheap question', () => {
  const ask = (size: number, edges_sha256: string, at = url) =>
    call<KnownFileData>(at, 'POST', '/known', {
      body: JSON.stringify({ size, edges_sha256 }),
      headers: { 'content-type': 'application/json' },
    });
  const edgesOf = (file: Buffer) =>
    file.length <= 2 * EDGE_BYTES
      ? sha256(file)
      : sha256(Buffer.concat([file.subarray(0, EDGE_BYTES), file.subarray(-EDGE_BYTES)]));

  it('S3-08 is answered with possible for a file at work or ready, and only then', async () => {
    for (const size of [3000, 3 * CHUNK + 7]) {
      const file = videoBytes(size);
      const edges = edgesOf(file);
      expect((await ask(size, edges)).body).toEqual({ success: true, data: { possible: false } });
      const id = await sent(file);
      for (const to of stack.uploads) expect((await ask(size, edges, to)).body.data.possible).toBe(true);
      await publish(stack, id);
      expect((await ask(size, edges)).body.data.possible).toBe(true);
      expect((await ask(size + 1, edges)).body.data.possible).toBe(false);
      await cancel(url, id);
      expect((await ask(size, edges)).body.data.possible).toBe(false);
    }
  });

  it('that makes no sense is refused', async () => {
    expect(codeOf(await ask(0, 'a'.repeat(64)))).toEqual([400, 'validation_failed']);
    expect(codeOf(await ask(1, 'A'.repeat(64)))).toEqual([400, 'validation_failed']);
  });
});

it('S3-04 ENABLE_DEDUPLICATION=false processes every file and tells nobody of another', async () => {
  const alone = await startUploads(1, { ENABLE_DEDUPLICATION: 'false' });
  try {
    const to = alone.uploads[0]!;
    const file = videoBytes(3000);
    const ids: string[] = [];
    for (let time = 0; time < 2; time += 1) {
      const { session_id: id, duplicate } = await created(to, { size: 3000, file_hash: sha256(file) });
      expect(duplicate).toBe(false);
      await put(to, id, 0, file);
      ids.push(id);
    }
    const jobs = await waitFor(
      async () => {
        const now = await Promise.all(ids.map((id) => jobOf(alone, id)));
        return now.every((job) => job.source_complete) && now;
      },
      { what: 'both to be complete' },
    );
    expect(jobs.map((job) => job.waits_for)).toEqual([null, null]);
    const answer = await call<KnownFileData>(to, 'POST', '/known', {
      body: JSON.stringify({ size: 3000, edges_sha256: sha256(file) }),
      headers: { 'content-type': 'application/json' },
    });
    expect(answer.body.data.possible).toBe(false);
  } finally {
    await alone.stop();
  }
});
