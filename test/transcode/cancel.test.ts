import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { SluiceClient } from '#client';
import { descendantsOf, type Stack, startStack, testDir, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { jobOf, mustComplete, upload, waitUntilClean } from '../pipeline/harness.js';

const small = TIMED.find((clip) => clip.name === 'no-sound')!;
const plain = TIMED.find((clip) => clip.name === 'plain')!;
/** Slow, in one span; a lease says nothing for 2.3 s, which is longer than a cancel may take, a reconciler nothing at all. */
const SLOW = {
  SEGMENT_SECONDS: '1',
  SPAN_SECONDS: '30',
  ENCODER_PRESET: 'ultrafast',
  LEASE_SECONDS: '7',
  RECONCILE_INTERVAL_SECONDS: '600',
  SPAN_CONCURRENCY: '1',
  PROCESSING_MAX_CONCURRENT_JOBS: '1',
};

/** In place of ffmpeg: what makes more than one rung reads slowly, however quick the machine is. */
const STAND_IN = `#!/bin/bash
case "$*" in *split=3*) ;; *) exec ffmpeg "$@";; esac
args=()
for arg; do
  [ "$arg" = -i ] && args+=(-readrate 0.1)
  args+=("$arg")
done
exec ffmpeg "\${args[@]}"
`;

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
    const ffmpeg = join(await testDir('slow-ffmpeg'), 'ffmpeg');
    await writeFile(ffmpeg, STAND_IN);
    await chmod(ffmpeg, 0o755);
    stack = await startStack({ env: { ...SLOW, FFMPEG_PATH: ffmpeg } });
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
