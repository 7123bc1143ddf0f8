import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, startPostgres, startRedis } from '#launcher';
import { makeMigratedDatabase } from '#testing';

/** Settings of production, not the short locks of the tests. */
export const PRODUCTION = {
  NODE_ENV: 'production',
  LOG_LEVEL: 'warn',
  QUEUE_LOCK_SECONDS: '5',
  LEASE_SECONDS: '8',
  RECONCILE_INTERVAL_SECONDS: '5',
  DATABASE_POOL_SIZE: '10',
  ENABLE_DEDUPLICATION: 'false',
  UPLOAD_MAX_FILE_SIZE: String(4 * 1024 ** 3),
};

/** What comes after the encode is not part of it. */
export const ENCODE_ONLY = { POSTER: 'false', STORYBOARD_TILES: '0', QUALITY_SAMPLES: '0' };

export interface Backing {
  /** A folder of this run. */
  dir: string;
  redisUrl: string;
  /** Of Redis and Postgres. */
  pids: number[];
  /** Redis away, without a word, and there again with what it had written to its log. */
  killRedis(): Promise<void>;
  startRedis(): Promise<void>;
  stop(): Promise<void>;
}

/** A Redis and a Postgres of the bench's own, both durable as in `npm start`; stacks started after it use them. */
export async function startBacking(): Promise<Backing> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sluice-bench-'));
  // Postgres may run as another user (it refuses root).
  await chmod(dir, 0o711);
  const ending: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true, maxRetries: 3 })];
  const stop = async () => {
    for (const end of ending.reverse()) await end();
  };
  try {
    const common = { password: 'bench', durable: true };
    const options = {
      ...common,
      dir: path.join(dir, 'redis'),
      port: await freePort(),
      logFile: path.join(dir, 'redis.log'),
    };
    let redis = await startRedis(options);
    const killRedis = async () => {
      redis.child.kill('SIGKILL');
      await redis.child.exited;
    };
    const again = async () => {
      redis = await startRedis(options);
    };
    ending.push(() => redis.child.stop(5000));
    const postgres = await startPostgres({
      ...common,
      dir: path.join(dir, 'postgres'),
      port: await freePort(),
      logFile: path.join(dir, 'postgres.log'),
    });
    ending.push(() => postgres.child.stop(10_000));
    await makeMigratedDatabase(postgres.url('postgres'));
    process.env.TEST_DATABASE_URL = postgres.url('postgres');
    process.env.TEST_REDIS_URL = redis.url;
    process.env.TEST_DIR = dir;
    const pids = [redis.child.pid, postgres.child.pid];
    return { dir, redisUrl: redis.url, pids, killRedis, startRedis: again, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
