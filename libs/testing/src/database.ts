import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { query } from '#launcher';
import { openDataSource } from '#persistence';
import { given } from './environment.js';

export interface TestDatabase {
  url: string;
  /** One statement; which connection takes it, nobody knows. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Ends every connection and drops the database. */
  drop(): Promise<void>;
}

/** Every migration and no rows, made once for a Postgres: to copy it is cheaper than to migrate each anew. */
const MIGRATED = 'migrated';

export async function makeMigratedDatabase(adminUrl: string): Promise<void> {
  await query(adminUrl, `CREATE DATABASE ${MIGRATED}`);
  const url = new URL(adminUrl);
  url.pathname = `/${MIGRATED}`;
  const dataSource = await openDataSource({ databaseUrl: url.href, poolSize: 2, name: 'test' });
  await dataSource.destroy();
}

/**
 * A database of its own on the Postgres of this run, migrated; `empty`, without a table: `openDataSource` or a
 * service migrates it.
 */
export async function createTestDatabase({ empty = false } = {}): Promise<TestDatabase> {
  const admin = given('TEST_DATABASE_URL');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await query(admin, `CREATE DATABASE ${name} TEMPLATE ${empty ? 'template1' : MIGRATED}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  // Tests ask every 50 ms; a connection for each question would be a twentieth of the whole run's work.
  const pool = new pg.Pool({
    connectionString: url.href,
    max: 4,
    idleTimeoutMillis: 2000,
    allowExitOnIdle: true,
  });
  pool.on('error', () => undefined);
  return {
    url: url.href,
    query: async (sql, values) => (await pool.query(sql, values)).rows,
    async drop() {
      await pool.end();
      await query(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}
