import { afterEach, describe, expect, it } from 'vitest';
import { type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { mustComplete, scratchFiles, upload } from '../pipeline/harness.js';

const LIMIT_MS = 90_000;
const plain = TIMED.find((clip) => clip.name === 'plain')!;

let stack: Stack;
afterEach(() => stack?.stop());

const segmentsOf = (job: string) =>
  stack.query(
    `SELECT r.name || '/' || s.segment_index AS segment, s.lease_number AS lease
     FROM segments s JOIN renditions r ON r.id = s.rendition_id WHERE s.job_id = $1 AND r.kind = 'video' ORDER BY 1`,
    [job],
  ) as Promise<{ segment: string; lease: number }[]>;

describe('a worker that is told to stop', { timeout: LIMIT_MS }, () => {
  it('S1-10 hands its span over at the segment edge: what is whole is stored, the rest is another one’s, nobody is to blame', async () => {
    stack = await startStack({
      env: {
        SEGMENT_SECONDS: '1',
        SPAN_SECONDS: '30',
        SPAN_CONCURRENCY: '1',
        // The run holds after so many, the init segment among them, in the middle of its span.
        HANDOVER_WINDOW: '3',
        LEASE_SECONDS: '30',
        SHUTDOWN_GRACE_SECONDS: '30',
        ENCODER_PRESET: 'ultrafast',
      },
    });
    // Before the upload, so that the run cannot be at its end; one rung without sound, so that it is one span.
    await stack.kill('segment-upload', 'SIGSTOP');
    const alone = { renditions: ['240p'], audio: 'none' };
    const job = await upload(stack, await fileOf(plain), undefined, alone);
    const whole = async () => (await scratchFiles(stack)).filter((name) => / \d+p-\d+$/.test(name)).length;
    let before = 0;
    await waitFor(
      async () => {
        const [held, now] = [before, await whole()];
        before = now;
        return now >= 2 && now === held;
      },
      { what: 'the encoder to be held', intervalMs: 300 },
    );
    const stopping = stack.kill('transcode', 'SIGTERM');
    await stack.kill('segment-upload', 'SIGCONT');
    await stopping;
    const atTheEdge = await segmentsOf(job);
    expect(atTheEdge.length).toBeGreaterThanOrEqual(2);
    const spans = await stack.query(
      `SELECT status, attempts, unclean_deaths, lease_owner FROM spans WHERE job_id = $1 AND kind = 'video'`,
      [job],
    );
    expect(spans).toEqual([{ status: 'pending', attempts: 0, unclean_deaths: 0, lease_owner: null }]);

    await stack.restart('transcode');
    await mustComplete(stack, job, LIMIT_MS);
    const all = await segmentsOf(job);
    for (const { segment, lease } of atTheEdge)
      expect(all.find((one) => one.segment === segment)?.lease).toBe(lease);
    expect(all.length).toBeGreaterThan(atTheEdge.length);
  });
});
