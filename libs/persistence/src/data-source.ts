import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { DataSource, type DataSourceOptions } from 'typeorm';
import { ENTITIES } from './entities/index.js';
import { Initial1700000000000 } from './migrations/1700000000000-initial.js';
import { Tus1700000100000 } from './migrations/1700000100000-tus.js';
import { Dedup1700000200000 } from './migrations/1700000200000-dedup.js';
import { Scan1700000300000 } from './migrations/1700000300000-scan.js';
import { Batches1700000400000 } from './migrations/1700000400000-batches.js';
import { Overlap1700000500000 } from './migrations/1700000500000-overlap.js';
import { Stalls1700000600000 } from './migrations/1700000600000-stalls.js';
import { Finishing1700000700000 } from './migrations/1700000700000-finishing.js';
import { Tracks1700000800000 } from './migrations/1700000800000-tracks.js';
import { GrowingPlans1700000850000 } from './migrations/1700000850000-growing-plans.js';
import { Scale1700000900000 } from './migrations/1700000900000-scale.js';
import { Twins1700001000000 } from './migrations/1700001000000-twins.js';
import { TransportStream1700001100000 } from './migrations/1700001100000-transport-stream.js';
import { Downloads1700001200000 } from './migrations/1700001200000-downloads.js';
import { Encoders1700001300000 } from './migrations/1700001300000-encoders.js';
import { Pace1700001400000 } from './migrations/1700001400000-pace.js';
import { Access1700001600000 } from './migrations/1700001600000-access.js';
import { Jobs1700001700000 } from './migrations/1700001700000-jobs.js';
import { JobLists1700001710000 } from './migrations/1700001710000-job-lists.js';
import { Positions1700001800000 } from './migrations/1700001800000-positions.js';
import { Webhooks1700001900000 } from './migrations/1700001900000-webhooks.js';
import { Fairness1700002100000 } from './migrations/1700002100000-fairness.js';
import { Tenants1700002150000 } from './migrations/1700002150000-tenants.js';
import { NewestOpen1700002200000 } from './migrations/1700002200000-newest-open.js';

const INT8_OID = 20;
// Sizes, offsets and ticks stay below 2^53, so BIGINT may be a number.
pg.types.setTypeParser(INT8_OID, Number);

/** Any fixed number: all services that start together take turns at migrating. */
const MIGRATION_LOCK = 7_351_990;

export function dataSourceOptions(config: {
  databaseUrl: string;
  poolSize: number;
  name: string;
}): DataSourceOptions {
  return {
    type: 'postgres',
    // The one whose types are set above: TypeORM would look for another in node_modules.
    driver: pg,
    url: config.databaseUrl,
    entities: ENTITIES,
    migrations: [
      Initial1700000000000,
      Tus1700000100000,
      Dedup1700000200000,
      Scan1700000300000,
      Batches1700000400000,
      Overlap1700000500000,
      GrowingPlans1700000850000,
      Stalls1700000600000,
      Tracks1700000800000,
      Scale1700000900000,
      Finishing1700000700000,
      Twins1700001000000,
      Downloads1700001200000,
      Encoders1700001300000,
      Pace1700001400000,
      TransportStream1700001100000,
      Access1700001600000,
      Jobs1700001700000,
      JobLists1700001710000,
      Positions1700001800000,
      Fairness1700002100000,
      Webhooks1700001900000,
      Tenants1700002150000,
      NewestOpen1700002200000,
    ],
    // Each lets go of its locks before the next one asks for others, and stays done when that fails.
    migrationsTransactionMode: 'each',
    synchronize: false,
    poolSize: config.poolSize,
    applicationName: `sluice-${config.name}`,
    extra: {
      connectionTimeoutMillis: 5000,
      statement_timeout: 30_000,
      idle_in_transaction_session_timeout: 30_000,
    },
  };
}

/** deadlock_detected, lock_not_available: what an older version has at work goes first. */
const IN_THE_WAY = new Set(['40P01', '55P03']);
const TRIES = 30;
const TRY_AGAIN_MS = 500;

/** Runs what is pending; of several processes one migrates and the others wait for it. */
export async function migrate(dataSource: DataSource): Promise<void> {
  const runner = dataSource.createQueryRunner();
  try {
    // Whoever migrates a large table takes longer than a statement may.
    await runner.query('SET statement_timeout = 0');
    await runner.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    if (await dataSource.showMigrations()) await runPending(dataSource.options);
  } finally {
    await runner.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
    await runner.query('RESET statement_timeout');
    await runner.release();
  }
}

/**
 * On connections of its own: a large table may take its time, and a lock that does not come soon is asked for
 * again later, because everybody else's statements wait behind one that is asked for.
 */
async function runPending(options: DataSourceOptions): Promise<void> {
  const extra = { connectionTimeoutMillis: 5000, lock_timeout: 3000 };
  const dataSource = new DataSource({ ...options, poolSize: 2, extra } as DataSourceOptions);
  await dataSource.initialize();
  try {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await dataSource.runMigrations();
        return;
      } catch (error) {
        if (!IN_THE_WAY.has(codeOf(error)) || attempt === TRIES) throw error;
        await sleep(TRY_AGAIN_MS);
      }
    }
  } finally {
    await dataSource.destroy();
  }
}

const codeOf = (error: unknown) => String((error as { code?: unknown } | null)?.code);

/** Not there yet: refused, starting up, or its database is about to be made. */
const NOT_YET = new Set(['ECONNREFUSED', '57P03', '3D000']);
/** The driver's words have no code; a busy machine lets Postgres answer late. */
const isNotYet = (error: unknown) =>
  NOT_YET.has(codeOf(error)) ||
  (error instanceof Error &&
    /timeout exceeded when trying to connect|connection timeout/.test(error.message));
const WAIT_MS = 30_000;
const LOOK_AGAIN_MS = 100;

/** A connected and migrated data source; a Postgres that is just starting is waited for. The caller destroys it. */
export async function openDataSource(config: { databaseUrl: string; poolSize: number; name: string }) {
  const deadline = Date.now() + WAIT_MS;
  for (;;) {
    const dataSource = new DataSource(dataSourceOptions(config));
    try {
      await dataSource.initialize();
      await migrate(dataSource);
      return dataSource;
    } catch (error) {
      if (dataSource.isInitialized) await dataSource.destroy();
      if (!isNotYet(error) || Date.now() > deadline) throw error;
      await sleep(LOOK_AGAIN_MS);
    }
  }
}
