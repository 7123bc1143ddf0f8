import { setTimeout as delay } from 'node:timers/promises';
import { createRedis, QueueProducer } from '#queue';
import { waitFor } from '#testing';
import type { Backing } from '../backing.js';
import { cancelled } from '../cancelled.js';
import type { BenchStack } from './index.js';
import { type Sent, send, untilStored } from './job.js';

const LONGEST_MS = 180_000;
const BEFORE = 4;
/** More than four slots take, and at least so much of it waiting when Redis is emptied. */
const JOBS_TO_FLUSH = 5;
const LEAST_DUE = 2;

/**
 * Seconds from Redis taking commands again until work goes on: a segment has been stored and, where
 * spans waited, one has been begun, whichever is later.
 */
export async function stopRedisFor(
  stack: BenchStack,
  backing: Backing,
  file: string,
  seconds: number,
): Promise<number> {
  const first = await send(stack, file);
  const others = [await send(stack, file), await send(stack, file)];
  await untilStored(stack, first.job, BEFORE);
  await backing.killRedis();
  await delay(seconds * 1000);
  const before = await workDone(stack);
  await backing.startRedis();
  const back = performance.now();
  await waitFor(
    async () => {
      const now = await workDone(stack);
      return now.segments > before.segments && (before.waiting === 0 || now.claims > before.claims);
    },
    { what: 'work to go on', timeoutMs: LONGEST_MS, intervalMs: 20 },
  );
  const resumed = (performance.now() - back) / 1000;
  for (const { session, job } of [first, ...others]) await cancelled(stack, session, job);
  return resumed;
}

async function workDone(stack: BenchStack): Promise<{ segments: number; claims: number; waiting: number }> {
  const [row] = await stack.query(
    `SELECT (SELECT count(*)::int FROM segments) AS segments, sum(lease_number)::int AS claims,
       count(*) FILTER (WHERE status = 'pending')::int AS waiting FROM spans`,
  );
  return row as Awaited<ReturnType<typeof workDone>>;
}

/** Seconds from FLUSHALL until each piece of work that rows call due, and nobody has in hand, is queued again. */
export async function flushRedis(stack: BenchStack, file: string): Promise<number> {
  const sent: Sent[] = [];
  while (sent.length < JOBS_TO_FLUSH) sent.push(await send(stack, file));
  await waitFor(async () => (await workDue(stack)).length >= LEAST_DUE, {
    what: 'work to wait',
    timeoutMs: LONGEST_MS,
    intervalMs: 20,
  });
  const redis = createRedis(stack.redisUrl, 'producer', 'bench');
  await redis.flushall().finally(() => redis.disconnect());
  const flushed = performance.now();
  const queues = new QueueProducer(stack.redisUrl, 'bench');
  try {
    await waitFor(async () => (await missingEntries(stack, queues)) === 0, {
      what: 'the queue to be whole again',
      timeoutMs: LONGEST_MS,
      intervalMs: 50,
    });
  } finally {
    await queues.close();
  }
  const rebuilt = (performance.now() - flushed) / 1000;
  for (const { session, job } of sent) await cancelled(stack, session, job);
  return rebuilt;
}

/** By rows: plans, and spans that nobody has and that wait for no other. */
async function workDue(stack: BenchStack): Promise<{ queue: 'plan' | 'span' | 'follower'; entry: string }[]> {
  const rows = await stack.query(
    `SELECT CASE kind WHEN 'video' THEN 'span' ELSE 'follower' END AS queue, 'span-' || id AS entry FROM spans
     WHERE released AND status = 'pending' AND NOT EXISTS (SELECT 1 FROM spans AS earlier
       WHERE earlier.job_id = spans.job_id AND earlier.position = (spans.params ->> 'waitsFor')::integer AND earlier.status <> 'done')
     UNION ALL SELECT 'plan', 'plan-' || id FROM jobs WHERE status = 'pending'`,
  );
  return rows as Awaited<ReturnType<typeof workDue>>;
}

async function missingEntries(stack: BenchStack, queues: QueueProducer): Promise<number> {
  const due = await workDue(stack);
  const found = await Promise.all(due.map(({ queue, entry }) => queues.queue(queue).getJob(entry)));
  return found.filter((entry) => !entry).length;
}
