import { afterEach, describe, expect, it } from 'vitest';
import { SluiceClient } from '#client';
import { descendantsOf, type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { jobOf, mustComplete, upload, waitUntilClean } from '../pipeline/harness.js';

const small = TIMED.find((clip) => clip.name === 'no-sound')!;
const plain = TIMED.find((clip) => clip.name === 'plain')!;
/** Slow, in one span; a lease says nothing for 2.3 s, which is longer than a cancel may take, a reconciler nothing at all. */
const SLOW = {
  SEGMENT_SECONDS: '1',
  SPAN_SECONDS: '30',
  ENCODER_PRESET: 'medium',
  LEASE_SECONDS: '7',
  RECONCILE_INTERVAL_SECONDS: '600',
  SPAN_CONCURRENCY: '1',
  PROCESSING_MAX_CONCURRENT_JOBS: '1',
};

let stack: Stack;
afterEach(() => stack?.stop());

/** Process id of the ffmpeg that makes more than one rung. */
const longEncoder = () =>
  stack.processes.transcode
    .flatMap(({ process }) => descendantsOf(process.pid))
    .find(({ command }) => command.includes('split=3'))?.pid;

const hasLongSpan = async (job: string) =>
  (
    await stack.query(
      `SELECT 1 FROM spans WHERE job_id = $1 AND kind = 'video' AND status = 'running' AND segment_count > 1`,
      [job],
    )
  ).length > 0;

describe('S3-03 a cancelled job', { timeout: 120_000 }, () => {
  it('ends a running encode in another process within 2 s, and the next job has its place and its slot', async () => {
    stack = await startStack({ env: SLOW });
    const ids = { session: '', job: '' };
    await upload(stack, await fileOf(plain), (given) => Object.assign(ids, given));
    const pid = await waitFor(async () => (await hasLongSpan(ids.job)) && longEncoder(), {
      what: 'the long span to be encoded',
      timeoutMs: 60_000,
      intervalMs: 50,
    });
    const next = await upload(stack, await fileOf(small));
    await waitFor(async () => (await jobOf(stack, next)).waiting_for === 'place', {
      what: 'the next job to wait for a place',
    });
    expect(longEncoder()).toBe(pid);
    await new SluiceClient({ uploadUrl: stack.urls.upload }).cancel(ids.session);
    await waitFor(() => longEncoder() !== pid, {
      what: 'the encoder to be gone',
      timeoutMs: 2000,
      intervalMs: 50,
    });
    await mustComplete(stack, next, 60_000);
    await waitUntilClean(stack, ids);
  });
});
