import { createRedis } from './redis.js';

/** So many in a minute, evenly; after a pause `burst` of them may come at once. */
export interface Rate {
  perMinute: number;
  burst: number;
}

/**
 * The generic cell rate algorithm: a bucket is one number, the time at which all that came would have come at the
 * even rate. Redis's clock counts, so that any number of processes share a bucket. Answers with the milliseconds
 * until the next one may come, 0 when this one may.
 */
const TAKE = `
local clock = redis.call('TIME')
local now = clock[1] * 1000 + clock[2] / 1000
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local due = math.max(now, tonumber(redis.call('GET', KEYS[1]) or '0'))
local wait = due - (burst - 1) * interval - now
if wait > 0 then return math.ceil(wait) end
redis.call('SET', KEYS[1], string.format('%.3f', due + interval), 'PX', math.ceil(due + interval - now))
return 0`;

/** A limit protects; where it would cost more than it protects, whoever asks goes on. */
const PATIENCE_MS = 250;

export class RateLimiter {
  private readonly redis;

  constructor(redisUrl: string, name: string) {
    this.redis = createRedis(redisUrl, 'producer', `${name}-limits`);
  }

  /** Milliseconds until another one may come to this bucket; 0: this one may, also while Redis is away or slow. */
  async take(bucket: string, { perMinute, burst }: Rate): Promise<number> {
    if (this.redis.status !== 'ready') return 0;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<number>((resolve) => {
      timer = setTimeout(() => resolve(0), PATIENCE_MS);
    });
    const answer = this.redis
      .eval(TAKE, 1, `sluice:rate:${bucket}`, 60_000 / perMinute, burst)
      .then(Number)
      .catch(() => 0);
    return Promise.race([answer, late]).finally(() => clearTimeout(timer));
  }

  close(): void {
    this.redis.disconnect();
  }
}
