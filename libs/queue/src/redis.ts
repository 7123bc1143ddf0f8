import { Redis, type RedisOptions } from 'ioredis';

/**
 * BullMQ's own strategy grows to 20 s, and work then goes on that much later than Redis is back
 * (18 s measured); ours stays below one second, with jitter so that a fleet does not return at once.
 */
const retryStrategy = (times: number) => Math.min(100 * times, 700) + Math.floor(Math.random() * 200);

/** `blocking`: for consumers that wait as long as it takes; otherwise commands fail within about 2 s. */
export function createRedis(url: string, role: 'producer' | 'blocking', name: string): Redis {
  const options: RedisOptions = {
    connectionName: `sluice-${name}`,
    retryStrategy,
    maxRetriesPerRequest: role === 'blocking' ? null : 2,
    enableReadyCheck: true,
    connectTimeout: 5000,
  };
  const redis = new Redis(url, options);
  // ioredis repeats an error for every attempt; whoever needs to know hears of it by its command.
  redis.on('error', () => undefined);
  return redis;
}
