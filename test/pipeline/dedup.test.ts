import { afterAll, beforeAll, expect, it } from 'vitest';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { type Stack, startStack, waitFor } from '#testing';
import { fileOf, GOOD } from '../clips/good.js';
import { jobOf, MANY_SPANS, mustComplete, pausePackaging, streamOf } from './harness.js';

/** All but the first span gives way to whatever else the machine does. */
const PATIENCE_MS = 90_000;
let stack: Stack;

beforeAll(async () => {
  // One span after the other: the cancel comes between the first and the last.
  stack = await startStack({
    env: { ...MANY_SPANS, ENCODER_PRESET: 'slow', SPAN_CONCURRENCY: '1' },
    services: { upload: 2 },
  });
});
afterAll(() => stack?.stop());

it(
  'S3-08 one encode serves two uploads of a new file, also when the one that it began for is cancelled',
  async () => {
    const clip = GOOD.find((good) => good.name === 'moov-at-the-end');
    if (!clip) throw new Error('there is no such clip');
    const source = await fileSource(await fileOf(clip));
    // It is at work as long as we look, however quick the machine is.
    const goOn = await pausePackaging(stack);
    const clients = stack.processes.upload.map(({ url }) => new SluiceClient({ uploadUrl: url }));
    const sessions = await Promise.all(clients.map((client) => client.upload(source)));
    const jobs = await stack.query('SELECT id, waits_for FROM jobs ORDER BY waits_for IS NULL DESC');
    const [working, heir] = jobs.map((job) => String(job.id));
    if (!working || !heir) throw new Error('two uploads have two jobs');
    expect(jobs.map((job) => job.waits_for)).toEqual([null, working]);
    await waitFor(async () => (await jobOf(stack, heir)).playback.early, {
      what: 'the early stream of both',
    });
    await stack.kill('transcode', 'SIGSTOP');
    const shown = await jobOf(stack, heir);
    expect(shown).toMatchObject({ status: 'processing', stage: 'transcoding' });
    expect(shown.renditions.length).toBeGreaterThan(0);
    const early = await fetch(new URL(shown.playback.early ?? '', stack.urls.gateway));
    expect(early.status).toBe(200);

    const owner = sessions.find((session) => session.job_id === working);
    await clients[0]?.cancel(owner?.session_id ?? '');
    await stack.kill('transcode', 'SIGCONT');
    await goOn();
    expect(await jobOf(stack, working)).toMatchObject({ status: 'failed', error_code: 'cancelled' });
    const done = await mustComplete(stack, heir, PATIENCE_MS);
    expect(done.renditions.every((r) => r.segments_completed === r.segments_total)).toBe(true);
    for (const address of Object.values(streamOf(stack, done)))
      expect((await fetch(address)).status).toBe(200);
    const kept = await stack.query('SELECT DISTINCT job_id FROM segments');
    expect(kept).toEqual([{ job_id: heir }]);

    const third = await clients[1]?.upload(source);
    expect((await jobOf(stack, third?.job_id ?? '')).result).toEqual(done.result);
  },
  2 * PATIENCE_MS,
);
