import { randomUUID } from 'node:crypto';
import { afterEach, expect, it } from 'vitest';
import { type Consumer, consume, createRedis, QueueProducer } from '#queue';
import { testRedisUrl, waitFor } from '#testing';

const LOCK_SECONDS = 1;
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function scene(leased: boolean) {
  const redisUrl = await testRedisUrl();
  const producer = new QueueProducer(redisUrl, 'test');
  const redis = createRedis(redisUrl, 'producer', 'test');
  const begun: AbortSignal[] = [];
  let end = () => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const consumer: Consumer = consume(
    'plan',
    async (_payload, { signal }) => {
      begun.push(signal);
      await Promise.race([ended, new Promise((resolve) => signal.addEventListener('abort', resolve))]);
      return undefined;
    },
    { redisUrl, name: 'test', concurrency: 2, lockSeconds: LOCK_SECONDS, leased, onError: () => undefined },
  );
  closing.push(
    () => producer.close(),
    async () => redis.disconnect(),
    () => consumer.close(0),
    async () => end(),
  );
  await producer.enqueue('plan', { jobId: randomUUID() });
  await waitFor(() => begun.length === 1, { what: 'the work to begin' });
  return { redis, consumer, begun, producer };
}

it('S4-07 work under a lease outlives its queue lock, other work ends with it', async () => {
  const [leased, other] = [await scene(true), await scene(false)];
  await Promise.all([leased.redis.flushdb(), other.redis.flushdb()]);
  await waitFor(() => other.begun[0]?.aborted, { what: 'the work without a lease to be ended' });
  expect(leased.begun[0]?.aborted).toBe(false);
});

it('is ready only with the connection that it waits for work on', async () => {
  const { redis, consumer } = await scene(true);
  await waitFor(() => consumer.isReady(), { what: 'the consumer to be ready' });
  // Those that wait in a blocking command on this test's own database.
  const { db } = redis.options;
  const waiting = await waitFor(
    async () =>
      ((await redis.client('LIST')) as string)
        .split('\n')
        .find((line) => line.includes(` db=${db} `) && line.includes(' cmd=bzpopmin')),
    { what: 'the consumer to wait for more work' },
  );
  await redis.client('KILL', 'ID', Number(/id=(\d+)/.exec(waiting)?.[1]));
  expect(() => consumer.assertAlive()).not.toThrow();
  await waitFor(() => consumer.isReady(), { what: 'the consumer to be ready again' });
});
