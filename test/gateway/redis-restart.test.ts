import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { HealthData } from '#contracts';
import { startRedis } from '#launcher';
import { testDir, testPort, waitFor } from '#testing';
import { startGatewayAlone } from './rows.js';
import { Watcher } from './watcher.js';

it('S3-11 facts flow again when Redis is back, empty, and what happened meanwhile comes from rows', async () => {
  const dir = await testDir('redis');
  const options = {
    dir,
    port: await testPort(),
    password: 'again',
    logFile: join(dir, 'log'),
    durable: false,
  };
  let redis = await startRedis(options);
  const gateway = await startGatewayAlone({ REDIS_URL: redis.url });
  try {
    const upload = await gateway.insertUpload();
    const watcher = await Watcher.connect(gateway.url);
    await watcher.subscribe({ session_id: upload.sessionId });
    const tell = async (message: string) =>
      gateway.publish(
        await gateway.record(upload.jobId, { type: 'processing_progress', durable: true, message }),
      );
    await tell('before');
    await watcher.hears(1);

    await redis.child.stop(5000);
    await gateway.record(upload.jobId, {
      type: 'processing_progress',
      durable: true,
      message: 'unannounced',
    });
    await watcher.hears(2);
    const health = await gateway.get('/health');
    expect([health.status, ((await health.json()) as HealthData).status]).toEqual([503, 'degraded']);

    redis = await startRedis(options);
    const back = Date.now();
    await waitFor(async () => gateway.publisherIsReady() && (await gateway.get('/health')).ok, {
      what: 'the gateway to be healthy again',
      intervalMs: 20,
    });
    await tell('after');
    await watcher.hears(3);
    expect(Date.now() - back).toBeLessThan(5000);
    expect(watcher.numbers()).toEqual([1, 2, 3]);
    watcher.close();
  } finally {
    await gateway.stop();
    await redis.child.stop(5000);
  }
});
