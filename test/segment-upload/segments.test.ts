import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { initFileName, segmentFileName } from '#contracts';
import { openDataSource } from '#persistence';
import { waitFor } from '#testing';
import { Scene, segmentBytes, sha256 } from './scene.js';

let scene: Scene;
beforeAll(async () => {
  scene = await Scene.start();
});
afterAll(() => scene?.stop());

const rowsOf = (jobId: string) =>
  scene.stack.query('SELECT segment_index, sha256, storage_path FROM segments WHERE job_id = $1', [jobId]);

describe('a finished segment', () => {
  it('S0-13 is stored whole and recorded before the worker may drop its copy', async () => {
    const job = await scene.job();
    const bytes = segmentBytes('moof', 300_000);
    const segment = scene.prepare(job, 1, { bytes });
    expect(await scene.handOver(segment)).toBeNull();
    const key = `media/${job.assetId}/360p/${segmentFileName(1, sha256(bytes))}`;
    expect(await rowsOf(job.jobId)).toEqual([{ segment_index: 1, sha256: sha256(bytes), storage_path: key }]);
    expect(sha256(await readFile(join(scene.stack.storageDir, key)))).toBe(sha256(bytes));
    const rendition = await scene.one('SELECT * FROM renditions WHERE job_id = $1', [job.jobId]);
    expect(rendition).toMatchObject({ segments_completed: 1, bytes: bytes.length, completed_at: null });
  });

  it('S0-02 may be announced twice: the second time it is only confirmed', async () => {
    const job = await scene.job();
    const bytes = segmentBytes();
    const segment = scene.prepare(job, 0, { bytes });
    await scene.handOver(segment);
    const asked = scene.worker.asked.length;
    scene.prepare(job, 0, { bytes });
    expect(await scene.handOver(segment)).toBeNull();
    expect(scene.worker.asked).toHaveLength(asked);
    expect(await rowsOf(job.jobId)).toHaveLength(1);
    expect(
      await scene.one('SELECT segments_completed FROM renditions WHERE job_id = $1', [job.jobId]),
    ).toEqual({
      segments_completed: 1,
    });
  });

  it('S0-02 does not replace what is stored when it comes again with other bytes', async () => {
    const job = await scene.job();
    const first = scene.prepare(job, 0);
    await scene.handOver(first);
    await scene.handOver(scene.prepare(job, 0));
    expect((await rowsOf(job.jobId)).map((row) => row.sha256)).toEqual([first.sha256]);
    expect(await scene.objects(`media/${job.assetId}`)).toEqual([`360p/${segmentFileName(0, first.sha256)}`]);
  });

  it('S0-03 is refused with a wrong SHA-256 or a wrong size, and nothing is left', async () => {
    const job = await scene.job();
    expect(await scene.handOver(scene.prepare(job, 0, { sha256: 'a'.repeat(64) }))).toBe('checksum_mismatch');
    expect(await scene.handOver(scene.prepare(job, 1, { size: 5 }))).toBe('checksum_mismatch');
    expect(await rowsOf(job.jobId)).toEqual([]);
    expect(await scene.objects(`media/${job.assetId}`)).toEqual([]);
    expect(await scene.objects('.tmp')).toEqual([]);
  });

  it('S0-05 is refused when it does not begin like a segment', async () => {
    const job = await scene.job();
    for (const bytes of [Buffer.from('<html>not a segment</html>'), Buffer.from('ftyp')]) {
      expect(await scene.handOver(scene.prepare(job, 0, { bytes }))).toBe('bad_magic');
    }
    expect(await rowsOf(job.jobId)).toEqual([]);
    expect(await scene.objects(`media/${job.assetId}`)).toEqual([]);
  });

  it('S0-07 of a late owner is dropped: the lease has another number', async () => {
    const job = await scene.job({ lease: 2 });
    const asked = scene.worker.asked.length;
    expect(await scene.handOver(scene.prepare(job, 0, { lease: 1 }))).toBeNull();
    expect(scene.worker.asked).toHaveLength(asked);
    expect(await rowsOf(job.jobId)).toEqual([]);
    expect(await scene.handOver(scene.prepare(job, 0, { lease: 2 }))).toBeNull();
    expect(await rowsOf(job.jobId)).toHaveLength(1);
  });

  it('S0-14 is asked for again when the worker fails for a moment, and forgotten when it no longer has it', async () => {
    const job = await scene.job();
    scene.worker.failures = 2;
    await scene.handOver(scene.prepare(job, 0));
    expect(await rowsOf(job.jobId)).toHaveLength(1);
    const gone = scene.prepare(job, 1);
    scene.worker.files.delete(scene.path(gone));
    await scene.queues.enqueue('segment-upload', gone);
    await waitFor(() => scene.worker.asked.includes(scene.path(gone)), { what: 'the worker to be asked' });
    await scene.idle('segment-upload');
    expect(await rowsOf(job.jobId)).toHaveLength(1);
    expect(await scene.queues.queue('segment-upload').getFailedCount()).toBe(0);
  });
});

describe('an init segment', () => {
  it('is the same for every span of a rendition; another one, or another encoder, is refused', async () => {
    const job = await scene.job();
    const bytes = segmentBytes('ftyp');
    expect(await scene.handOver(scene.prepare(job, -1, { bytes }))).toBeNull();
    const stored = await scene.one('SELECT * FROM renditions WHERE job_id = $1', [job.jobId]);
    expect(stored).toMatchObject({
      codecs: 'avc1.64001e',
      init_key: `media/${job.assetId}/360p/${initFileName(sha256(bytes))}`,
      init_sha256: sha256(bytes),
      init_size: bytes.length,
      encoder: 'e'.repeat(64),
    });
    expect(await scene.handOver(scene.prepare(job, -1, { bytes }))).toBeNull();
    expect(await scene.handOver(scene.prepare(job, -1))).toBe('init_mismatch');
    expect(await scene.handOver(scene.prepare(job, -1, { bytes, encoder: 'f'.repeat(64) }))).toBe(
      'init_mismatch',
    );
    expect(await scene.one('SELECT * FROM renditions WHERE job_id = $1', [job.jobId])).toEqual(stored);
  });
});

describe('progress', () => {
  it('S3-11 says once, and durably, that the start set can be played', async () => {
    const job = await scene.job({ renditions: ['720p', '360p', 'audio'] });
    const playable = async () => (await scene.facts(job.jobId)).filter((fact) => fact.playback);
    const rest = { rendition: '360p' as const };
    const audio = { rendition: 'audio' as const, codecs: 'mp4a.40.2' };
    await scene.handOver(scene.prepare(job, 0, rest));
    await scene.handOver(scene.prepare(job, -1, audio));
    await scene.handOver(scene.prepare(job, 0, audio));
    expect(await playable()).toEqual([]);
    await scene.handOver(scene.prepare(job, -1, rest));
    expect(await playable()).toHaveLength(1);
    await scene.fill(job, ['720p']);
    await scene.handOver(scene.prepare(job, 1, rest));
    const [fact, ...more] = await playable();
    expect(more).toEqual([]);
    expect(fact).toMatchObject({
      event_type: 'processing_progress',
      durable: true,
      stage: 'transcoding',
      progress_percentage: 36,
      playback: { early: `/media/${job.assetId}/early.m3u8`, hls: null, dash: null },
    });
    expect(
      fact?.renditions?.map(({ name, segments_completed, segments_total }) => [
        name,
        segments_completed,
        segments_total,
      ]),
    ).toEqual([
      ['720p', 0, 2],
      ['360p', 1, 2],
      ['audio', 1, 2],
    ]);
    expect(
      (await scene.one('SELECT playable_at FROM jobs WHERE id = $1', [job.jobId])).playable_at,
    ).not.toBeNull();
  });

  it('S0-17 is told at most once in 2 s for a quality, however fast its segments come', async () => {
    const job = await scene.job({ total: 12 });
    const started = Date.now();
    for (let index = 0; index < 12; index += 1) await scene.handOver(scene.prepare(job, index));
    const seconds = (Date.now() - started) / 1000;
    const facts = await scene.facts(job.jobId);
    expect(facts[0]?.renditions).toEqual([
      {
        name: '360p',
        kind: 'video',
        mode: 'encode',
        width: 640,
        height: 360,
        segments_completed: 1,
        segments_total: 12,
      },
    ]);
    const times = facts.map((fact) => Date.parse(fact.timestamp));
    for (const [i, time] of times.slice(1).entries()) expect(time - times[i]!).toBeGreaterThanOrEqual(1950);
    expect(facts.length).toBeLessThanOrEqual(1 + seconds / 2);
    const rendition = await scene.one('SELECT completed_at FROM renditions WHERE job_id = $1', [job.jobId]);
    expect(rendition.completed_at).not.toBeNull();
  });

  it('S0-17 tells how fast segments of a job come, and when they will all have come', async () => {
    const job = await scene.job({ total: 100 });
    let index = 0;
    const fact = await waitFor(
      async () => {
        await scene.handOver(scene.prepare(job, index));
        index += 1;
        return (await scene.facts(job.jobId)).find(({ speed }) => speed);
      },
      { what: 'a speed', intervalMs: 500 },
    );
    expect(fact.speed).toBeGreaterThan(0);
    expect(fact.eta_seconds).toBeGreaterThan(0);
    const { pace, rows } = await scene.one(
      'SELECT pace, (SELECT segments_completed FROM renditions WHERE job_id = $1) AS rows FROM jobs WHERE id = $1',
      [job.jobId],
    );
    expect((pace as unknown[]).length).toBeLessThan(Number(rows));
  });

  it('S1-04 stays at its beginning while the end of the source is not known', async () => {
    const job = await scene.job({ total: null });
    await scene.handOver(scene.prepare(job, 0));
    const [fact] = await scene.facts(job.jobId);
    expect(fact).toMatchObject({ stage: 'transcoding', progress_percentage: 30 });
    expect(fact?.renditions?.[0]).toMatchObject({ segments_completed: 1, segments_total: null });
  });
});

describe('a process that is killed, a job that ends', () => {
  it('S0-13 leaves one row and one object when it is killed between storing and recording', async () => {
    const job = await scene.job();
    const database = await openDataSource({
      databaseUrl: scene.stack.databaseUrl,
      poolSize: 2,
      name: 'test',
    });
    const holder = database.createQueryRunner();
    try {
      await holder.startTransaction();
      await holder.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [job.jobId]);
      const segment = scene.prepare(job, 0);
      await scene.queues.enqueue('segment-upload', segment);
      await waitFor(async () => (await scene.objects(`media/${job.assetId}`)).length === 1, {
        what: 'the object',
      });
      await scene.stack.kill('segment-upload');
      await holder.rollbackTransaction();
      expect(await rowsOf(job.jobId)).toEqual([]);
      await scene.stack.restart('segment-upload');
      const path = scene.path(segment);
      await waitFor(() => scene.worker.releases.some((one) => one.path === path), {
        what: 'the confirmation',
      });
      expect(await rowsOf(job.jobId)).toHaveLength(1);
      expect(await scene.objects(`media/${job.assetId}`)).toHaveLength(1);
    } finally {
      await holder.release();
      await database.destroy();
    }
  });

  it('S3-03 removes what it has stored when the job was cancelled meanwhile', async () => {
    const job = await scene.job();
    const database = await openDataSource({
      databaseUrl: scene.stack.databaseUrl,
      poolSize: 2,
      name: 'test',
    });
    const holder = database.createQueryRunner();
    try {
      await holder.startTransaction();
      await holder.query(`UPDATE jobs SET status = 'failed', error_code = 'cancelled' WHERE id = $1`, [
        job.jobId,
      ]);
      const handedOver = scene.handOver(scene.prepare(job, 0));
      await waitFor(async () => (await scene.objects(`media/${job.assetId}`)).length === 1, {
        what: 'the object',
      });
      await holder.commitTransaction();
      expect(await handedOver).toBeNull();
      expect(await rowsOf(job.jobId)).toEqual([]);
      expect(await scene.objects(`media/${job.assetId}`)).toEqual([]);
    } finally {
      await holder.release();
      await database.destroy();
    }
  });
});
