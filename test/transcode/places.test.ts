import { afterEach, describe, expect, it } from 'vitest';
import { WorkScene } from './work-scene.js';

let scene: WorkScene;
afterEach(() => scene?.stop());

const claimAll = async (jobs: string[]) => {
  const claims = await Promise.all(jobs.map((id) => scene.claim(id)));
  return jobs.filter((_, i) => claims[i] !== null);
};

describe('S3-04 PROCESSING_MAX_CONCURRENT_JOBS', () => {
  it('is never exceeded, however many claim at once, and the most urgent come first, then the oldest', async () => {
    scene = await WorkScene.start(2);
    const [old, young] = [await scene.job(), await scene.job()];
    const low = await scene.job({ priority: 1 });
    const urgent = await scene.job({ priority: 10 });
    const all = [young, low, old, urgent];
    const first = await claimAll([...all, ...all, ...all]);
    expect(new Set(first)).toEqual(new Set([urgent, old]));
    expect(await claimAll([young, low])).toEqual([]);
    await scene.places.offer();
    expect(await scene.offered()).toEqual([]);

    await scene.end(urgent, 'completed');
    await scene.places.offer();
    expect(await scene.offered()).toEqual([young]);
    expect(await claimAll([low, young])).toEqual([young]);
    await scene.end(young, 'failed');
    await scene.end(old, 'failed');
    expect(await claimAll([low])).toEqual([low]);
  });

  it('a planner that died holds its place no longer than its lease, one that failed lets the others go first', async () => {
    scene = await WorkScene.start(1);
    const [first, second] = [await scene.job(), await scene.job()];
    const dead = await scene.plans.claim(first, 0);
    expect(dead).not.toBeNull();
    const claim = await scene.claim(first);
    expect(claim?.lease).toBe(2);
    await scene.plans.release(claim!, 3600);
    expect(await claimAll([first])).toEqual([]);
    expect(await scene.plans.isTriedElsewhere(first)).toBe(true);
    expect(await claimAll([second])).toEqual([second]);
  });

  it('a job that merely waits for the rest of its file, or for a verdict, leaves its place to another one', async () => {
    scene = await WorkScene.start(1);
    const slow = await scene.planned(60);
    const waiting = await scene.job();
    const set = (change: string) => scene.dataSource.query(`UPDATE jobs SET ${change} WHERE id = $1`, [slow]);
    await set('source_complete = false');
    expect(await claimAll([waiting])).toEqual([]);
    // Its spans are done as far as bytes are there, and its client is silent.
    await scene.dataSource.query(`UPDATE spans SET status = 'done' WHERE job_id = $1`, [slow]);
    await scene.dataSource.query(
      `INSERT INTO upload_sessions (id, tenant_id, job_id, filename, expires_at)
       VALUES (gen_random_uuid(), 'default', $1, 'a.mp4', now() + interval '1 day')`,
      [slow],
    );
    expect(await claimAll([waiting])).toEqual([]);
    await scene.dataSource.query(`UPDATE upload_sessions SET updated_at = now() - interval '3 seconds'`);
    expect(await claimAll([waiting])).toEqual([waiting]);

    await scene.end(waiting, 'failed');
    const next = await scene.job();
    await set(`source_complete = true, scan = 'pending'`);
    expect(await claimAll([next])).toEqual([next]);
  });
});
