import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noS3Reason, S3_HOOK_MS, type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { MANY_SPANS, mustComplete, streamOf, upload } from '../pipeline/harness.js';
import { type Fault, type FaultProxy, faultProxy, outage } from '../storage/fault-proxy.js';
import { type Bucket, createBucket } from '../storage/s3-scene.js';
import { verifyStream } from '../verify/stream.js';

const missing = noS3Reason();
const SLOW_DOWN: Omit<Fault, 'on'> = {
  do: 'refuse',
  answer: { status: 503, code: 'SlowDown' },
  times: Number.POSITIVE_INFINITY,
};
/** The circuit breaker lets one request through every 2 s, and each of the job's needs one that passes. */
const PATIENCE_MS = 120_000;

describe.skipIf(missing !== null)(`an outage of S3 during a job${missing ? ` (${missing})` : ''}`, () => {
  let bucket: Bucket;
  let proxy: FaultProxy;
  let stack: Stack;
  beforeEach(async () => {
    bucket = await createBucket();
    proxy = await faultProxy(bucket.environment().S3_ENDPOINT as string);
    stack = await startStack({ env: { ...MANY_SPANS, ...bucket.environment(proxy.url) } });
  }, S3_HOOK_MS);
  afterEach(async () => {
    await stack?.stop();
    await proxy?.close();
    await bucket?.remove();
  });

  it(
    'S0-14 a store that is away while a job is encoded and its segments are stored delays the job',
    async () => {
      const clip = TIMED.find(({ name }) => name === 'plain');
      if (!clip) throw new Error('no such clip');
      const source = await fileOf(clip);
      const job = await upload(stack, source);
      await waitFor(
        async () => (await stack.query('SELECT 1 FROM segments WHERE job_id = $1', [job])).length >= 2,
        { what: 'two segments' },
      );
      proxy.faults.push(...outage(SLOW_DOWN.answer));
      await waitFor(async () => (await stack.logs('transcode')).includes('a span failed'), {
        what: 'a source to be refused',
      });
      proxy.faults.splice(0, proxy.faults.length, { ...SLOW_DOWN, on: 'PUT /media/' });
      const from = proxy.seen.length;
      await waitFor(
        () => proxy.seen.slice(from).filter((name) => /^PUT .*[/]media[/]/.test(name)).length >= 4,
        { what: 'four segments to be refused' },
      );
      proxy.faults.length = 0;
      const view = await mustComplete(stack, job, PATIENCE_MS);
      const verified = await verifyStream(streamOf(stack, view), { ...clip, source, frames: 'numbered' });
      expect(verified.problems).toEqual([]);
      expect(await stack.query('SELECT 1 FROM spans WHERE job_id = $1 AND attempts > 0', [job])).toEqual([]);
    },
    PATIENCE_MS,
  );
});
