import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parse, types } from 'hls-parser';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openDataSource } from '#persistence';
import { waitFor } from '#testing';
import { Scene, type SceneJob } from './scene.js';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.start({ SOURCE_RETENTION_HOURS: '0' });
});
afterAll(() => scene?.stop());

const finishSpans = (job: SceneJob) =>
  scene.stack.query(`UPDATE spans SET status = 'done' WHERE job_id = $1`, [job.jobId]);
const jobRow = (job: SceneJob) => scene.one('SELECT * FROM jobs WHERE id = $1', [job.jobId]);
const assetRow = (job: SceneJob) => scene.one('SELECT * FROM assets WHERE id = $1', [job.assetId]);
const ended = (job: SceneJob) =>
  waitFor(async () => ['completed', 'failed'].includes(String((await jobRow(job)).status)), {
    what: 'the job to end',
  });
const text = (job: SceneJob, name: string) =>
  readFile(join(scene.stack.storageDir, 'media', job.assetId, name), 'utf8');

describe('packaging', () => {
  it('S1-08 S1-04 writes playlists and MPD over what is stored and completes the job', async () => {
    const job = await scene.job({ renditions: ['360p', 'audio'], sha256: '1'.repeat(64) });
    await scene.fill(job, ['360p', 'audio']);
    const rubbish = join(scene.stack.storageDir, 'media', job.assetId, '360p', 'seg_0001-00000000.m4s');
    await writeFile(rubbish, 'a late writer was here');
    await finishSpans(job);
    await scene.queues.enqueue('package', { jobId: job.jobId });
    await ended(job);

    const row = await jobRow(job);
    expect(row).toMatchObject({ status: 'completed', stage: 'completed', progress: 100, error_code: null });
    expect(row.completed_at).not.toBeNull();
    expect(row.result).toEqual({
      hls: `/media/${job.assetId}/master.m3u8`,
      dash: `/media/${job.assetId}/manifest.mpd`,
      hls_ts: null,
      duration_seconds: 8,
      renditions: [
        {
          name: '360p',
          width: 640,
          height: 360,
          codecs: 'avc1.64001e',
          bandwidth: 4016,
          segments: 2,
          bytes: 4016,
        },
        {
          name: 'audio',
          width: null,
          height: null,
          codecs: 'mp4a.40.2',
          bandwidth: 4016,
          segments: 2,
          bytes: 4016,
        },
      ],
      poster: null,
      storyboard: null,
      quality: null,
      downloads: [],
      warnings: [],
    });
    expect(await assetRow(job)).toMatchObject({ status: 'ready', sha256: '1'.repeat(64) });

    const master = parse(await text(job, 'master.m3u8'));
    if (!(master instanceof types.MasterPlaylist)) throw new Error('not a multivariant playlist');
    expect(master.variants.map((variant) => [variant.uri, variant.bandwidth])).toEqual([
      ['360p/index.m3u8', 8032],
    ]);
    const mpd = await text(job, 'manifest.mpd');
    const objects = await scene.objects(`media/${job.assetId}`);
    const stored = objects.filter((name) => name.endsWith('.m4s'));
    expect(stored).toHaveLength(4);
    for (const name of stored) {
      const [rendition, file] = name.split('/');
      expect(await text(job, `${rendition}/index.m3u8`)).toContain(`\n${file}\n`);
      expect(mpd).toContain(`<SegmentURL media="${file}"/>`);
    }
    expect(objects.filter((name) => !/\.m4s$|\/init-.*\.mp4$/.test(name))).toEqual([
      '360p/index.m3u8',
      'audio/index.m3u8',
      'manifest.mpd',
      'master.m3u8',
    ]);
  });

  it('S1-04 S3-11 passes through validation, packaging and storage and never goes back', async () => {
    const job = await scene.job();
    await scene.fill(job);
    await finishSpans(job);
    await scene.queues.enqueue('package', { jobId: job.jobId });
    const facts = await waitFor(
      async () => {
        const all = await scene.facts(job.jobId);
        return all.at(-1)?.event_type === 'processing_completed' && all;
      },
      { what: 'processing_completed' },
    );
    const late = facts
      .map((fact) => [fact.stage, fact.progress_percentage])
      .filter(([stage]) => stage !== 'transcoding');
    expect(late).toEqual([
      ['validation', 60],
      ['packaging', 75],
      ['storage', 90],
      ['storage', 95],
      ['completed', 100],
    ]);
    expect(facts.map((fact) => fact.seq)).toEqual(facts.map((fact) => fact.seq).toSorted((a, b) => a - b));
    expect(facts.at(-1)).toMatchObject({
      durable: true,
      playback: {
        early: null,
        poster: null,
        hls: `/media/${job.assetId}/master.m3u8`,
        dash: `/media/${job.assetId}/manifest.mpd`,
      },
      result: { duration_seconds: 8 },
    });
  });

  it('S0-09 fails the job and names what is missing; spans stay as they are', async () => {
    const job = await scene.job({ renditions: ['720p', '360p'], total: 3 });
    await scene.fill(job, ['720p'], 3);
    await scene.handOver(scene.prepare(job, 1));
    await finishSpans(job);
    await scene.queues.enqueue('package', { jobId: job.jobId });
    await ended(job);
    const row = await jobRow(job);
    expect(row).toMatchObject({ status: 'failed', error_code: 'segments_missing' });
    expect(row.error_message).toContain('360p/init segment, 360p/seg_0000.m4s, 360p/seg_0002.m4s.');
    expect(await scene.stack.query('SELECT status FROM spans WHERE job_id = $1', [job.jobId])).toEqual([
      { status: 'done' },
    ]);
    expect((await scene.facts(job.jobId)).at(-1)).toMatchObject({
      event_type: 'processing_failed',
      code: 'segments_missing',
    });
    await waitFor(async () => (await assetRow(job)).status === 'deleted', { what: 'the cleanup' });
    expect(await scene.objects(`media/${job.assetId}`)).toEqual([]);
  });

  it('S0-09 does not take segments that do not follow on each other for a whole', async () => {
    const job = await scene.job();
    await scene.handOver(scene.prepare(job, -1));
    await scene.handOver(scene.prepare(job, 0));
    await scene.handOver(scene.prepare(job, 1, { start: 4001 }));
    await finishSpans(job);
    await scene.queues.enqueue('package', { jobId: job.jobId });
    await ended(job);
    expect((await jobRow(job)).error_message).toContain('360p/what belongs before seg_0001.m4s');
  });

  it('waits while a span is not done, and is found by the reconciler when its entry is lost', async () => {
    const job = await scene.job();
    await scene.fill(job);
    await scene.queues.enqueue('package', { jobId: job.jobId });
    await scene.idle('package');
    expect((await jobRow(job)).status).toBe('processing');
    await finishSpans(job);
    await ended(job);
    expect((await jobRow(job)).status).toBe('completed');
  });

  it.each([
    [2, 'completed'],
    [3, 'failed'],
  ])('S3-08 ends the jobs that wait for it as it ends itself (%i planned: %s)', async (total, status) => {
    const job = await scene.job({ total });
    const waiting = [await scene.waiting(job), await scene.waiting(job), await scene.waiting(job)];
    await scene.stack.query(`UPDATE jobs SET status = 'failed', error_code = 'cancelled' WHERE id = $1`, [
      waiting[2],
    ]);
    await scene.fill(job);
    await finishSpans(job);
    await scene.queues.enqueue('package', { jobId: job.jobId });
    await ended(job);
    const { result, error_code } = await jobRow(job);
    for (const jobId of waiting.slice(0, 2)) {
      const row = await scene.one('SELECT * FROM jobs WHERE id = $1', [jobId]);
      expect(row).toMatchObject({ status, result, error_code, asset_id: job.assetId });
      expect((await scene.facts(jobId)).at(-1)).toMatchObject({ event_type: `processing_${status}` });
    }
    expect(await scene.one('SELECT * FROM jobs WHERE id = $1', [waiting[2]])).toMatchObject({
      error_code: 'cancelled',
      result: null,
    });
    expect((await assetRow(job)).status).toMatch(status === 'completed' ? /ready/ : /delet/);
  });

  it('S3-08 a job that was left waiting for one that has ended is ended by the reconciler', async () => {
    const job = await scene.job();
    const jobId = await scene.waiting(job);
    await scene.stack.query(
      `UPDATE jobs SET status = 'failed', error_code = 'encode_failed', error_message = 'It broke.' WHERE id = $1`,
      [job.jobId],
    );
    await ended({ ...job, jobId });
    expect(await jobRow({ ...job, jobId })).toMatchObject({ status: 'failed', error_code: 'encode_failed' });
  });

  it('S3-08 completes without its digest when the same file was published before', async () => {
    const digest = '2'.repeat(64);
    const jobs = [await scene.job({ sha256: digest }), await scene.job({ sha256: digest })];
    for (const job of jobs) {
      await scene.fill(job);
      await finishSpans(job);
    }
    await Promise.all(jobs.map(({ jobId }) => scene.queues.enqueue('package', { jobId })));
    for (const job of jobs) await ended(job);
    const assets = await Promise.all(jobs.map(assetRow));
    expect(assets.map((asset) => asset.status)).toEqual(['ready', 'ready']);
    expect(assets.map((asset) => asset.sha256).sort()).toEqual([digest, null]);
  });

  it('comes to the same end when it is killed before the job is completed', async () => {
    const job = await scene.job();
    await scene.fill(job);
    const database = await openDataSource({
      databaseUrl: scene.stack.databaseUrl,
      poolSize: 2,
      name: 'test',
    });
    const holder = database.createQueryRunner();
    try {
      await holder.startTransaction();
      await holder.query('SELECT 1 FROM assets WHERE id = $1 FOR UPDATE', [job.assetId]);
      await finishSpans(job);
      await scene.queues.enqueue('package', { jobId: job.jobId });
      await waitFor(() => text(job, 'manifest.mpd'), { what: 'the MPD' });
      const before = await text(job, 'manifest.mpd');
      await scene.stack.kill('segment-upload');
      await holder.rollbackTransaction();
      await scene.stack.restart('segment-upload');
      await ended(job);
      expect((await jobRow(job)).status).toBe('completed');
      expect(await text(job, 'manifest.mpd')).toBe(before);
      const events = await scene.stack.query(
        `SELECT 1 FROM progress_events WHERE job_id = $1 AND type = 'processing_completed'`,
        [job.jobId],
      );
      expect(events).toHaveLength(1);
    } finally {
      await holder.release();
      await database.destroy();
    }
  });
});
