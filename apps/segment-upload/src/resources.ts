import type { Environment } from '#config';
import { FactPublisher } from '#events';
import { createLogger, storeWatch } from '#observability';
import { type DataSource, openDataSource } from '#persistence';
import { QueueProducer } from '#queue';
import { type ObjectStore, openStore } from '#storage';

/** What the service holds open from its start to its end. */
export interface Resources {
  database: DataSource;
  store: ObjectStore;
  queues: QueueProducer;
  facts: FactPublisher;
}

export async function openResources(environment: Environment): Promise<Resources> {
  const database = await openDataSource({
    databaseUrl: environment.DATABASE_URL,
    poolSize: environment.DATABASE_POOL_SIZE,
    name: 'segment-upload',
  });
  return {
    database,
    store: await openStore(environment, storeWatch(createLogger('segment-upload', environment.LOG_LEVEL))),
    queues: new QueueProducer(environment.REDIS_URL, 'segment-upload'),
    facts: new FactPublisher(environment.REDIS_URL, 'segment-upload', database),
  };
}

export async function closeResources({ database, queues, facts }: Resources): Promise<void> {
  facts.close();
  await Promise.allSettled([queues.close(), database.destroy()]);
}
