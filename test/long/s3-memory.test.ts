import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { noS3Reason, S3_HOOK_MS, waitFor } from '#testing';
import { forgetPeak, peakMb, residentMb } from '../bench/upload/memory.js';
import { type Bucket, createBucket } from '../storage/s3-scene.js';
import { created, look, put, startUploads, type UploadStack, videoBytes } from '../upload/support.js';

const missing = noS3Reason();
const CHUNK = 8 * 2 ** 20;
const CHUNKS = 25;
const PARALLEL = 4;
/** By then the digest thread, the SDK in it and V8's slack for buffers are all there. */
const WARM = 2 * PARALLEL;
const SLOPE_MB = 16;

describe.skipIf(missing !== null)(`memory of uploads to S3${missing ? ` (${missing})` : ''}`, () => {
  let bucket: Bucket;
  let stack: UploadStack;
  beforeAll(async () => {
    bucket = await createBucket();
    stack = await startUploads(1, {
      ...bucket.environment(),
      UPLOAD_MAX_CHUNK_SIZE: String(CHUNK),
      UPLOAD_MAX_FILE_SIZE: String(CHUNK * CHUNKS),
    });
  }, S3_HOOK_MS);
  afterAll(async () => {
    await stack?.stop();
    await bucket?.remove();
  });

  it('S3-07 a file of 200 MiB in chunks of 8 MiB, four at once, needs no more memory than its first 64 MiB', async () => {
    const url = stack.uploads[0]!;
    const pid = stack.processes.upload[0]!.process.pid;
    const whole = createHash('sha256');
    const idle = residentMb(pid);
    let warm = 0;
    forgetPeak(pid);
    const { session_id: id } = await created(url, { size: CHUNK * CHUNKS });
    for (let at = 0; at < CHUNKS; at += PARALLEL) {
      const some = Array.from({ length: Math.min(PARALLEL, CHUNKS - at) }, (_, i) =>
        at + i === 0 ? videoBytes(CHUNK) : randomBytes(CHUNK),
      );
      for (const chunk of some) whole.update(chunk);
      const sent = some.map((chunk, i) => put(url, id, (at + i) * CHUNK, chunk));
      for (const { status } of await Promise.all(sent)) expect(status).toBe(200);
      if (at + PARALLEL === WARM) warm = peakMb(pid);
    }
    await waitFor(async () => (await look(url, id)).body.data.sha256 !== null, {
      what: 'the hash of the file',
      timeoutMs: 60_000,
    });
    expect((await look(url, id)).body.data.sha256).toBe(whole.digest('hex'));
    const peak = peakMb(pid);
    const figures = { idle, warm, peak };
    console.info(
      Object.entries(figures)
        .map(([name, value]) => `${name} ${value.toFixed(0)} MiB`)
        .join(', '),
    );
    expect(warm).toBeGreaterThan(idle);
    expect(peak - warm).toBeLessThanOrEqual(SLOPE_MB);
  });
});
