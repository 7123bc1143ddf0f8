import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { SCRATCH_TS_QUERY, type SegmentPayload, tsFileName } from '#contracts';
import { waitFor } from '#testing';
import { Scene, type SceneJob, segmentBytes, sha256 } from './scene.js';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.start();
});
afterAll(() => scene?.stop());

const wantTs = (job: SceneJob, ts: boolean) =>
  scene.stack.query('UPDATE renditions SET ts = $2 WHERE job_id = $1', [job.jobId, ts]);

/** Whole packets with nothing in them, no two the same. */
function packets(count: number): Buffer {
  const bytes = segmentBytes('styp', count * 188).subarray(0, count * 188);
  for (let at = 0; at < bytes.length; at += 188) bytes[at] = 0x47;
  return bytes;
}

/** A segment in the scratch with its MPEG-TS beside it. */
function prepare(job: SceneJob, index: number, bytes = packets(3)): SegmentPayload {
  const segment = scene.prepare(job, index, { ts: { sha256: sha256(bytes), size: bytes.length } });
  scene.worker.files.set(scene.path(segment) + SCRATCH_TS_QUERY, bytes);
  return segment;
}

const rowsOf = (jobId: string) =>
  scene.stack.query('SELECT ts_path, ts_size::int AS size FROM segments WHERE job_id = $1', [jobId]);

const packaged = async (job: SceneJob) => {
  await scene.stack.query(`UPDATE spans SET status = 'done' WHERE job_id = $1`, [job.jobId]);
  await scene.queues.enqueue('package', { jobId: job.jobId });
  return waitFor(
    async () => {
      const row = await scene.one('SELECT status, result, error_message FROM jobs WHERE id = $1', [
        job.jobId,
      ]);
      return (row.status === 'completed' || row.status === 'failed') && row;
    },
    { what: 'the job to end' },
  );
};

it('S0-11 S0-13 is stored beside CMAF before the one row of both, which the worker may then drop', async () => {
  const job = await scene.job();
  await wantTs(job, true);
  const bytes = packets(400);
  expect(await scene.handOver(prepare(job, 0, bytes))).toBeNull();
  const key = `media/${job.assetId}/360p/${tsFileName(0, sha256(bytes), 'video')}`;
  expect(await rowsOf(job.jobId)).toEqual([{ ts_path: key, size: bytes.length }]);
  expect(sha256(await readFile(join(scene.stack.storageDir, key)))).toBe(sha256(bytes));
});

it('S0-05 S0-03 is refused without 0x47, with another SHA-256, or when it is not there; no row is left', async () => {
  const job = await scene.job();
  await wantTs(job, true);
  const [odd, short] = [packets(3), packets(1)];
  odd[188] = 0;
  expect(await scene.handOver(prepare(job, 0, odd))).toBe('bad_magic');
  expect(await scene.handOver(prepare(job, 0, short))).toBe('bad_magic');
  expect(await scene.handOver(prepare(job, 0, segmentBytes('styp', 600)))).toBe('bad_magic');
  const segment = prepare(job, 0);
  scene.worker.files.set(scene.path(segment) + SCRATCH_TS_QUERY, packets(3));
  expect(await scene.handOver(segment)).toBe('checksum_mismatch');
  expect(await scene.handOver(scene.prepare(job, 0))).toBe('ts_missing');
  expect(await rowsOf(job.jobId)).toEqual([]);
});

it('S0-11 S1-08 has playlists of its own, and what no row names is swept', async () => {
  const job = await scene.job();
  await wantTs(job, true);
  await scene.handOver(scene.prepare(job, -1));
  for (const index of [0, 1]) expect(await scene.handOver(prepare(job, index))).toBeNull();
  const rubbish = join(scene.stack.storageDir, `media/${job.assetId}/360p/seg_0000-00000000.ts`);
  await writeFile(rubbish, packets(3));
  expect((await packaged(job)).result).toMatchObject({
    hls_ts: `/media/${job.assetId}/master-ts.m3u8`,
    warnings: [],
  });
  const names = (await rowsOf(job.jobId)).map((row) => String(row.ts_path).split('/').slice(2).join('/'));
  const objects = await scene.objects(`media/${job.assetId}`);
  expect(objects.filter((name) => name.endsWith('.ts'))).toEqual(names.toSorted());
  const list = await readFile(join(scene.stack.storageDir, `media/${job.assetId}/360p/ts.m3u8`), 'utf8');
  expect(list.match(/^seg_\S+$/gm)).toEqual(names.map((name) => name.split('/')[1]));
  expect(objects).toContain('master-ts.m3u8');
});

it('S0-09 a row without it fails the job, and a codec that it cannot hold is a warning', async () => {
  const lacking = await scene.job();
  await scene.fill(lacking);
  await wantTs(lacking, true);
  const failed = await packaged(lacking);
  expect(failed).toMatchObject({ status: 'failed' });
  expect(failed.error_message).toContain('360p/2 segments of MPEG-TS');

  const unable = await scene.job();
  await wantTs(unable, false);
  await scene.fill(unable);
  const message = 'MPEG-TS was asked for and cannot hold 360p (avc1.64001e); play these as CMAF.';
  expect((await packaged(unable)).result).toMatchObject({
    hls_ts: null,
    warnings: [{ code: 'ts_not_made', message }],
  });
});
