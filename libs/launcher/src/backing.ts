import { join } from 'node:path';
import { freePort } from './ports.js';
import { ensureDatabase, startPostgres } from './postgres.js';
import { startRedis } from './redis.js';
import type { ChildRegistry } from './registry.js';
import { derive } from './secret.js';
import { Supervised } from './supervised.js';

const DATABASE = 'sluice';
const STOP_WITHIN_MS = 10_000;

export interface BackingOptions {
  home: string;
  secret: string;
  registry: ChildRegistry;
  say: (line: string) => void;
}

/** Redis and Postgres of our own for what the environment does not name; nothing is started before `start` of each. */
export async function planBacking({ home, secret, registry, say }: BackingOptions) {
  const redisPort = await freePort();
  const postgresPort = await freePort(0, new Set([redisPort]));
  const parts: Supervised[] = [];
  let { REDIS_URL: redisUrl, DATABASE_URL: databaseUrl } = process.env;
  if (!redisUrl) {
    const password = derive(secret, 'redis');
    redisUrl = `redis://:${password}@127.0.0.1:${redisPort}`;
    const options = {
      dir: join(home, 'redis'),
      port: redisPort,
      password,
      durable: true,
      onStart: registry.add,
    };
    parts.push(
      new Supervised('redis', {
        start: async (signal) =>
          (await startRedis({ ...options, logFile: join(home, 'logs', 'redis.log'), signal })).child,
        stopWithinMs: STOP_WITHIN_MS,
        say,
      }),
    );
  }
  if (!databaseUrl) {
    const password = derive(secret, 'postgres');
    databaseUrl = `postgres://sluice:${password}@127.0.0.1:${postgresPort}/${DATABASE}`;
    const options = {
      dir: join(home, 'postgres'),
      port: postgresPort,
      password,
      durable: true,
      onStart: registry.add,
    };
    parts.push(
      new Supervised('postgres', {
        start: async (signal) => {
          const server = await startPostgres({
            ...options,
            logFile: join(home, 'logs', 'postgres.log'),
            signal,
          });
          try {
            await ensureDatabase(server.url('postgres'), DATABASE);
          } catch (error) {
            await server.child.stop(STOP_WITHIN_MS);
            throw error;
          }
          return server.child;
        },
        stopWithinMs: STOP_WITHIN_MS,
        say,
      }),
    );
  }
  return { redisUrl, databaseUrl, parts };
}
