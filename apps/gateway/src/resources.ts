import type { Environment } from '#config';
import { FactPublisher } from '#events';
import { createLogger, storeWatch } from '#observability';
import { openDataSource } from '#persistence';
import { createRedis, QueueProducer } from '#queue';
import { type ObjectStore, openStore } from '#storage';

export type Database = Awaited<ReturnType<typeof openDataSource>>;
export type Redis = ReturnType<typeof createRedis>;

/** What the gateway holds open from its start to its end. */
export interface Resources {
  database: Database;
  store: ObjectStore;
  queues: QueueProducer;
  facts: FactPublisher;
  /** For short commands; the tail of the facts blocks a connection of its own. */
  redis: Redis;
}

export async function openResources(environment: Environment): Promise<Resources> {
  const database = await openDataSource({
    databaseUrl: environment.DATABASE_URL,
    poolSize: environment.DATABASE_POOL_SIZE,
    name: 'gateway',
  });
  const logger = createLogger('gateway', environment.LOG_LEVEL);
  return {
    database,
    store: await openStore(environment, storeWatch(logger)),
    facts: new FactPublisher(environment.REDIS_URL, 'gateway', database, (error) =>
      logger.warn({ err: error }, 'a fact was not published'),
    ),
    queues: new QueueProducer(environment.REDIS_URL, 'gateway'),
    redis: createRedis(environment.REDIS_URL, 'producer', 'gateway'),
  };
}

export async function closeResources({ database, facts, queues, redis }: Resources): Promise<void> {
  redis.disconnect();
  facts.close();
  await Promise.allSettled([queues.close(), database.destroy()]);
}
