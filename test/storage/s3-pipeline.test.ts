import { readFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Download } from '#contracts';
import { noS3Reason, S3_HOOK_MS, type Stack, startStack, waitFor } from '#testing';
import { fileOf, GOOD, TIMED } from '../clips/good.js';
import { boxTypes } from '../finishing/mp4-file.js';
import { isLongRun } from '../long-run.js';
import { MANY_SPANS, mustComplete, streamOf, upload } from '../pipeline/harness.js';
import { fetchBytes } from '../verify/rendition.js';
import { verifyStream } from '../verify/stream.js';
import { type Fault, type FaultProxy, faultProxy, outage } from './fault-proxy.js';
import { type Bucket, createBucket } from './s3-scene.js';

const missing = noS3Reason();
const SLOW_DOWN: Omit<Fault, 'on'> = {
  do: 'refuse',
  answer: { status: 503, code: 'SlowDown' },
  times: Number.POSITIVE_INFINITY,
};

describe.skipIf(missing !== null)(`the services on S3${missing ? ` (${missing})` : ''}`, () => {
  let bucket: Bucket;
  let proxy: FaultProxy;
  let stack: Stack;
  beforeAll(async () => {
    bucket = await createBucket();
    proxy = await faultProxy(bucket.environment().S3_ENDPOINT as string);
    // Only the bucket is shared: no folder is named.
    stack = await startStack({ env: { ...MANY_SPANS, ...bucket.environment(proxy.url), DOWNLOADS: 'top' } });
  }, S3_HOOK_MS);
  afterEach(() => {
    proxy.faults.length = 0;
  });
  afterAll(async () => {
    await stack?.stop();
    await proxy?.close();
    await bucket?.remove();
  });

  it('S1-08 a clip goes in by chunks, is encoded from them, and plays', async () => {
    const clip = GOOD.find(({ name }) => name === 'portrait');
    if (!clip) throw new Error('no such clip');
    const source = await fileOf(clip);
    const job = await mustComplete(stack, await upload(stack, source));
    const verified = await verifyStream(streamOf(stack, job), { ...clip, source, frames: 'numbered' });
    expect(verified.problems).toEqual([]);
    const keys = await bucket.keys();
    expect(keys.every((key) => /^video\/(chunks|media)\//.test(key))).toBe(true);

    const media = keys.find((key) => /seg_0000-[^/]+[.]m4s$/.test(key)) ?? '';
    const url = `${stack.urls.gateway}/media/${media.slice('video/media/'.length)}`;
    const whole = Buffer.from(await (await fetch(url)).arrayBuffer());
    const part = await fetch(url, { headers: { range: 'bytes=10-99' } });
    expect(part.status).toBe(206);
    expect(Buffer.from(await part.arrayBuffer())).toEqual(whole.subarray(10, 100));
    expect((await fetch(`${url}.not-there`)).status).toBe(404);

    const [download] = (job.result as { downloads: Download[] }).downloads;
    const file = await fetchBytes(new URL(download!.url, stack.urls.gateway).href);
    expect([file.length, boxTypes(file)]).toEqual([download!.bytes, ['ftyp', 'moov', 'mdat']]);
  });

  it('S3-03 what comes through the form door, whose parts have no length, is stored and can be taken back', async () => {
    const before = await bucket.keys();
    const clip = GOOD.find(({ name }) => name === 'no-sound');
    if (!clip) throw new Error('no such clip');
    const form = new FormData();
    form.set('total_chunks', '2');
    form.set('chunk_index', '0');
    form.set('file', new Blob([await readFile(await fileOf(clip))]), 'clip.mp4');
    const address = `${stack.urls.upload}/v1/upload/video`;
    const answer = await fetch(address, { method: 'POST', body: form });
    expect(answer.status).toBe(200);
    const { data } = (await answer.json()) as { data: { session_id: string } };
    expect((await bucket.keys()).some((key) => key.startsWith(`video/chunks/${data.session_id}/`))).toBe(
      true,
    );
    await fetch(`${address}/session/${data.session_id}`, { method: 'DELETE' });
    await waitFor(async () => (await bucket.keys()).length === before.length, { what: 'the chunk to go' });
  });

  /** `count` more requests of this kind than now. */
  const untilAsked = (request: RegExp, count: number) => {
    const from = proxy.seen.length;
    return waitFor(() => proxy.seen.slice(from).filter((name) => request.test(name)).length >= count, {
      what: `${count} of ${request}`,
    });
  };

  it('S0-14 a store that is away when a job is planned delays the job', async () => {
    const clip = GOOD.find(({ name }) => name === 'mono-44k');
    if (!clip) throw new Error('no such clip');
    await stack.kill('transcode', 'SIGSTOP');
    const job = await upload(stack, await fileOf(clip));
    // Its first bytes are read by us, the rest by ffprobe.
    proxy.faults.push({ on: 'GET /chunks/', do: 'pass' }, ...outage());
    await stack.kill('transcode', 'SIGCONT');
    // The one that is let through, and three attempts at the next.
    await untilAsked(/^GET .*[/]chunks[/]/, 4);
    proxy.faults.length = 0;
    await mustComplete(stack, job);
  });

  it.runIf(isLongRun)(
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
      await untilAsked(/^PUT .*[/]media[/]/, 4);
      proxy.faults.length = 0;
      const verified = await verifyStream(streamOf(stack, await mustComplete(stack, job)), {
        ...clip,
        source,
        frames: 'numbered',
      });
      expect(verified.problems).toEqual([]);
      expect(await stack.query('SELECT 1 FROM spans WHERE job_id = $1 AND attempts > 0', [job])).toEqual([]);
    },
  );
});
