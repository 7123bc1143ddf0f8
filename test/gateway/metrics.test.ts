import { randomUUID } from 'node:crypto';
import { expect, it } from 'vitest';
import { toQueuePriority } from '#contracts';
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

it('S3-14 the gateway tells what waits and for how long, what is set aside, and how late facts come', async () => {
  const gateway = await startGatewayAlone();
  const queues = new QueueProducer(gateway.stack.redisUrl, 'test');
  const now = () => readMetrics(gateway.url);
  try {
    expect((await now())('sluice_queue_oldest_seconds')).toBe(0);
    await queues.enqueue(
      'span',
      { jobId: randomUUID(), spanId: randomUUID() },
      { priority: toQueuePriority(3) },
    );
    await queues.enqueue(
      'span',
      { jobId: randomUUID(), spanId: randomUUID() },
      { priority: toQueuePriority(9) },
    );
    await waitFor(async () => (await now())('sluice_queue_oldest_seconds', { queue: 'span' }) > 0.5, {
      what: 'the oldest span to have an age',
    });
    const upload = await gateway.insertUpload();
    const complete = await gateway.insertUpload();
    await gateway.database.query(
      `UPDATE jobs SET status = 'processing', source_complete = true, updated_at = now() - interval '1 hour' WHERE id = $1`,
      [complete.jobId],
    );
    await gateway.database.query(
      `INSERT INTO spans (id, tenant_id, job_id, kind, position, renditions, first_segment, params, status, unclean_deaths)
       VALUES ($1, 'default', $2, 'video', 0, '{240p}', 0, '{}', 'failed', 3)`,
      [randomUUID(), complete.jobId],
    );
    await waitFor(async () => (await now())('sluice_quarantined', { kind: 'span' }) === 1, {
      what: 'rows to be counted again',
    });
    const figures = await now();
    expect(figures('sluice_jobs', { state: 'uploading' })).toBe(1);
    expect(figures('sluice_jobs', { state: 'processing' })).toBe(1);
    expect(figures('sluice_job_idle_seconds', { state: 'processing' })).toBeGreaterThan(3500);
    expect(figures('sluice_sessions_open')).toBe(2);
    expect(figures('sluice_workers')).toBe(0);
    const lag = figures('sluice_event_lag_seconds_count');
    await gateway.publish(
      await gateway.record(upload.jobId, {
        type: 'processing_initiated',
        durable: true,
        stage: 'transcoding',
      }),
    );
    await waitFor(async () => (await now())('sluice_event_lag_seconds_count') > lag, { what: 'the fact' });
  } finally {
    await queues.close();
    await gateway.stop();
  }
});
