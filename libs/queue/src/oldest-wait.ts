import type { Redis } from 'ioredis';
import { PRIORITY_WIDTH, toQueuePriority } from '#contracts';

/** BullMQ's score of a prioritized entry: its priority times this, and a counter. */
const SCORE_WIDTH = 0x1_0000_0000;
const PRIORITIES = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10];

/**
 * Seconds since the oldest waiting entry came, without looking at all of them: of what waits without a
 * priority the one that is next, and of each of our ten priorities the first in line, which came first
 * but for its round. A queue of 200,000 costs the same eleven reads.
 */
export async function oldestWait(redis: Redis, keyOf: (name: string) => string): Promise<number> {
  const heads = redis.pipeline().lindex(keyOf('wait'), -1);
  for (const priority of PRIORITIES) {
    const [from, to] = [toQueuePriority(priority), toQueuePriority(priority) + PRIORITY_WIDTH];
    heads.zrangebyscore(keyOf('prioritized'), from * SCORE_WIDTH, `(${to * SCORE_WIDTH}`, 'LIMIT', 0, 1);
  }
  const ids = valuesOf(await heads.exec())
    .flat()
    .filter((id): id is string => typeof id === 'string');
  if (ids.length === 0) return 0;
  const stamps = redis.pipeline();
  for (const id of ids) stamps.hget(keyOf(id), 'timestamp');
  const times = valuesOf(await stamps.exec())
    .map(Number)
    .filter((time) => time > 0);
  return times.length === 0 ? 0 : Math.max(0, Date.now() - Math.min(...times)) / 1000;
}

function valuesOf(answers: [Error | null, unknown][] | null): unknown[] {
  return (answers ?? []).map(([error, value]) => {
    if (error) throw error;
    return value;
  });
}
