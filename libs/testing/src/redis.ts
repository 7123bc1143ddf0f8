import { createRedis } from '#queue';
import { given } from './environment.js';

/** Of the test Redis; number 0 only counts which are taken. */
export const TEST_REDIS_DATABASES = 1000;

/**
 * URL of an empty logical database of its own on the Redis of this run. Use FLUSHDB there, never
 * FLUSHALL: other test files run beside this one.
 */
export async function testRedisUrl(): Promise<string> {
  const url = new URL(given('TEST_REDIS_URL'));
  const redis = createRedis(url.href, 'producer', 'test');
  try {
    const taken = await redis.incr('sluice-test:databases');
    if (taken >= TEST_REDIS_DATABASES)
      throw new Error('all test databases of Redis are taken; raise TEST_REDIS_DATABASES');
    url.pathname = `/${taken}`;
    return url.href;
  } finally {
    redis.disconnect();
  }
}
