import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { QueueProducer } from '#queue';
import { readMetrics, waitFor } from '#testing';
import { startGatewayAlone } from './rows.js';
import { Watcher } from './watcher.js';

it('S3-14 the gateway tells how many sockets there are and how long the queues', async () => {
  const gateway = await startGatewayAlone();
  const queues = new QueueProducer(gateway.stack.redisUrl, 'test');
  const sockets = async () => (await readMetrics(gateway.url))('sluice_sockets');
  try {
    expect(await sockets()).toBe(0);
    const watchers = [await Watcher.connect(gateway.url), await Watcher.connect(gateway.url)];
    expect(await sockets()).toBe(2);
    watchers[0]!.close();
    await waitFor(async () => (await sockets()) === 1, { what: 'the gateway to see that one left' });
    await queues.enqueue('plan', { jobId: randomUUID() }, { priority: 1000 });
    await queues.enqueue('cleanup', { assetId: randomUUID() });
    const has = (queue: string, state: string) =>
      waitFor(async () => (await readMetrics(gateway.url))('sluice_queue_length', { queue, state }) === 1, {
        what: `${queue} to be ${state}`,
      });
    await has('plan', 'prioritized');
    await has('cleanup', 'waiting');
    watchers[1]!.close();
  } finally {
    await queues.close();
    await gateway.stop();
  }
});
