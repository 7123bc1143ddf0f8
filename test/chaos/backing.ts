import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type PostgresServer, type RedisServer, startPostgres, startRedis } from '#launcher';
import { createRedis } from '#queue';
import { makeMigratedDatabase, testDir, testPort } from '#testing';

/** A Redis and a Postgres that may be ended: no other test uses them, and both keep what they have confirmed. */
export class Backing {
  private constructor(
    private readonly options: {
      redis: Parameters<typeof startRedis>[0];
      postgres: Parameters<typeof startPostgres>[0];
    },
    private redis: RedisServer,
    private postgres: PostgresServer,
    private readonly usual: string | undefined,
  ) {}

  /** Stacks that are started after it use its Postgres. */
  static async start(): Promise<Backing> {
    const dir = await testDir('chaos');
    // Postgres may run as another user (it refuses root).
    await chmod(dir, 0o711);
    const common = { password: 'chaos', durable: true };
    const redis = {
      ...common,
      dir: join(dir, 'redis'),
      port: await testPort(),
      logFile: join(dir, 'redis.log'),
    };
    const postgres = {
      ...common,
      dir: join(dir, 'postgres'),
      port: await testPort(new Set([redis.port])),
      logFile: join(dir, 'postgres.log'),
    };
    await mkdir(redis.dir, { recursive: true });
    const [server, database] = await Promise.all([startRedis(redis), startPostgres(postgres)]);
    const usual = process.env.TEST_DATABASE_URL;
    await makeMigratedDatabase(database.url('postgres'));
    process.env.TEST_DATABASE_URL = database.url('postgres');
    return new Backing({ redis, postgres }, server, database, usual);
  }

  get redisUrl(): string {
    return this.redis.url;
  }

  /** SIGKILL; what it had written to its log is there again. */
  async restartRedis(awayMs: number): Promise<void> {
    await this.stopRedis();
    await pause(awayMs);
    await this.startRedis();
  }

  async stopRedis(): Promise<void> {
    this.redis.child.kill('SIGKILL');
    await this.redis.child.exited;
  }

  async startRedis(): Promise<void> {
    this.redis = await startRedis(this.options.redis);
  }

  async flushRedis(): Promise<void> {
    const redis = createRedis(this.redisUrl, 'producer', 'chaos');
    await redis.flushall().finally(() => redis.disconnect());
  }

  /** SIGQUIT is `pg_ctl stop -m immediate`: every connection is cut, and the next start recovers. */
  async restartPostgres(awayMs: number): Promise<void> {
    this.postgres.child.kill('SIGQUIT');
    await this.postgres.child.exited;
    await pause(awayMs);
    this.postgres = await startPostgres(this.options.postgres);
  }

  async stop(): Promise<void> {
    if (this.usual) process.env.TEST_DATABASE_URL = this.usual;
    await Promise.all([this.redis.child.stop(5000), this.postgres.child.stop(10_000)]);
  }
}

/** The faults come at random moments, not when something has happened: the one place where a test lets time pass. */
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
