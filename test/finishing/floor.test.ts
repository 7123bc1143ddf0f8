import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Stack, startStack } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { jobEnd, MANY_SPANS, upload, waitUntilClean } from '../pipeline/harness.js';

const clip = TIMED.find(({ name }) => name === 'no-sound')!;
const PERFECT = { QUALITY_SAMPLES: '1', QUALITY_MIN_PSNR: '99' };

let stack: Stack;
beforeAll(async () => {
  stack = await startStack({
    env: { ...MANY_SPANS, ...PERFECT, QUALITY_FLOOR: 'fail', SOURCE_RETENTION_HOURS: '0' },
  });
});
afterAll(() => stack?.stop());

it('S1-07 a rendition below the floor fails its job where that is wished, and nothing is left', async () => {
  let ids = { session: '', job: '' };
  await upload(stack, await fileOf(clip), (session) => {
    ids = session;
  });
  const job = await jobEnd(stack, ids.job);
  expect(job).toMatchObject({ status: 'failed', error_code: 'quality_below_floor' });
  expect(job.error_message).toMatch(/240p \(PSNR [\d.]+ dB of 99\)/);
  await waitUntilClean(stack, ids);
}, 60_000);
