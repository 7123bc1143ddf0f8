import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, startRedis } from '#launcher';
import { type Consumer, consume, createRedis, QueueProducer } from '#queue';
import { waitFor } from '#testing';
import { queuedSpan } from '#work';
import { type Figure, higherIsBetter, lowerIsBetter } from './figures.js';

export interface QueueOptions {
  quick: boolean;
  say: (text: string) => void;
}

const BENCH = 'queue';
const WAITING = { full: 100_000, quick: 10_000 };
/** The most that one job has. */
const SPANS_OF_A_JOB = 200;
const BATCH = 1000;
const SAMPLES = 40;
/** A hundred thousand spans within a minute and 150 MB. */
const TARGET = { perSecond: 1700, bytes: 1500, pickupMs: 100 };

/** A Redis as `npm start` has it, entries as the planner makes them, consumers of libs/queue that do nothing. */
export async function benchQueue({ quick, say }: QueueOptions): Promise<Figure[]> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sluice-bench-'));
  const redis = await startRedis({
    password: 'bench',
    durable: true,
    dir: path.join(dir, 'redis'),
    port: await freePort(),
    logFile: path.join(dir, 'redis.log'),
  });
  const producer = new QueueProducer(redis.url, 'bench');
  try {
    const empty = await usedMemory(redis.url);
    const count = quick ? WAITING.quick : WAITING.full;
    say(`Adding ${count} spans …`);
    const rates = await fill(producer, count);
    const bytes = ((await usedMemory(redis.url)) - empty) / count;
    say('An urgent span among them, again and again …');
    const busy = await pickUps(redis.url, producer);
    const left = (await producer.queue('span').getJobCounts('prioritized')).prioritized ?? 0;
    if (left < count / 100) throw new Error('the backlog ran out; what was measured is an empty queue');
    await producer.queue('span').obliterate({ force: true });
    say('… and with nothing else in the queue …');
    const idle = await pickUps(redis.url, producer);
    return [
      higherIsBetter(BENCH, 'enqueue_per_s', rates, TARGET.perSecond),
      lowerIsBetter(BENCH, 'redis_bytes_per_span', [bytes], TARGET.bytes),
      lowerIsBetter(BENCH, 'urgent_pickup_ms', busy, TARGET.pickupMs),
      lowerIsBetter(BENCH, 'urgent_pickup_idle_ms', idle, TARGET.pickupMs),
    ];
  } finally {
    await producer.close();
    await redis.child.stop(5000);
    await rm(dir, { recursive: true, force: true });
  }
}

/** Spans per second, of each tenth. */
async function fill(producer: QueueProducer, count: number): Promise<number[]> {
  const rates: number[] = [];
  let job = randomUUID();
  for (let tenth = 0; tenth < 10; tenth++) {
    const began = performance.now();
    for (let added = 0; added < count / 10; added += BATCH) {
      const entries = Array.from({ length: BATCH }, (_, i) => {
        if (i % SPANS_OF_A_JOB === 0) job = randomUUID();
        return entryOf(job, 1 + (i % 10), i % SPANS_OF_A_JOB);
      });
      await producer.enqueueAll('span', entries);
    }
    rates.push(count / 10 / ((performance.now() - began) / 1000));
  }
  return rates;
}

/** The backlog has priorities 1 to 5. */
const entryOf = (jobId: string, priority: number, position: number, spanId = randomUUID()) =>
  queuedSpan({
    id: spanId,
    job_id: jobId,
    kind: 'video',
    position,
    segment_count: 5,
    priority: Math.min(priority, 5),
    turn: 0,
    stride: 1,
    boost: 0,
    opens: false,
  });

/** Milliseconds from asking for it to its handler's first line. Two slots, which are free as soon as anything is to do. */
async function pickUps(redisUrl: string, producer: QueueProducer): Promise<number[]> {
  const arrived = new Map<string, number>();
  const wanted = new Set<string>();
  const consumer: Consumer = consume(
    'span',
    async ({ spanId }) => {
      if (wanted.has(spanId)) arrived.set(spanId, performance.now());
      return undefined;
    },
    { redisUrl, name: 'bench', concurrency: 2, lockSeconds: 5, onError: () => undefined },
  );
  const times: number[] = [];
  try {
    await waitFor(() => consumer.isReady(), { what: 'the consumer' });
    for (let sample = 0; sample < SAMPLES; sample++) {
      const span = randomUUID();
      wanted.add(span);
      const { payload, options } = queuedSpan({
        id: span,
        job_id: randomUUID(),
        kind: 'video',
        position: 0,
        segment_count: 1,
        priority: 10,
        turn: 0,
        stride: 1,
        boost: 0,
        opens: true,
      });
      const asked = performance.now();
      await producer.enqueue('span', payload, options);
      const at = await waitFor(() => arrived.get(span), { what: 'the urgent span', intervalMs: 5 });
      times.push(at - asked);
    }
  } finally {
    await consumer.close(0);
  }
  return times;
}

async function usedMemory(url: string): Promise<number> {
  const redis = createRedis(url, 'producer', 'bench');
  try {
    return Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]);
  } finally {
    redis.disconnect();
  }
}
