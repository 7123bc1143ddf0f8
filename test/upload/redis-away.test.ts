import { expect, it } from 'vitest';
import { startRedis } from '#launcher';
import { testDir, testPort, waitFor } from '#testing';
import { jobOf, overdue, startUploads } from './support.js';

it('S3-13 uploads go on while Redis is away, a stop does not wait for it, and the sweep comes back with it', async () => {
  const options = {
    dir: await testDir('redis'),
    port: await testPort(),
    password: 'away',
    logFile: `${await testDir('redis-log')}/log`,
    durable: false,
  };
  let redis = await startRedis(options);
  const stack = await startUploads(1, { REDIS_URL: redis.url, SWEEP_INTERVAL_SECONDS: '0.3' });
  const upload = stack.processes.upload[0]!;
  try {
    await redis.child.stop(5000);
    const id = await overdue(stack);
    upload.process.kill('SIGTERM');
    expect(await upload.process.exited).toMatchObject({ code: 0 });
    redis = await startRedis(options);
    await stack.restart('upload');
    await waitFor(async () => (await jobOf(stack, id)).status === 'failed', { what: 'the sweep' });
  } finally {
    await stack.stop();
    await redis.child.stop(5000);
  }
});
