import { randomBytes } from 'node:crypto';
import { rmSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startPostgres, startRedis } from '#launcher';
import { makeMigratedDatabase } from './database.js';
import { testPort } from './ports.js';
import { TEST_REDIS_DATABASES } from './redis.js';
import { S3Server } from './s3-server.js';

/**
 * One Postgres and one Redis for the whole run, in a temporary folder, announced to the test files as
 * TEST_DATABASE_URL, TEST_REDIS_URL and TEST_DIR. They go when this process goes, however it does.
 */
export default async function setup(): Promise<() => Promise<void>> {
  const dir = await mkdtemp(join(tmpdir(), 'sluice-test-'));
  // Postgres may run as another user (it refuses root).
  await chmod(dir, 0o711);
  const remove = () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 });
  process.once('exit', remove);
  const password = randomBytes(12).toString('hex');
  const redisPort = await testPort();
  const [redis, postgres] = await Promise.all([
    startRedis({
      dir: join(dir, 'redis'),
      port: redisPort,
      password,
      logFile: join(dir, 'redis.log'),
      durable: false,
      databases: TEST_REDIS_DATABASES,
    }),
    startPostgres({
      dir: join(dir, 'postgres'),
      port: await testPort(new Set([redisPort])),
      password,
      logFile: join(dir, 'postgres.log'),
      durable: false,
    }),
  ]);
  process.env.TEST_DATABASE_URL = postgres.url('postgres');
  process.env.TEST_REDIS_URL = redis.url;
  process.env.TEST_DIR = dir;
  await makeMigratedDatabase(process.env.TEST_DATABASE_URL);
  const s3 = await S3Server.listen(dir);
  return async () => {
    await Promise.all([redis.child.stop(5000), postgres.child.stop(10_000), s3?.stop()]);
    remove();
  };
}
