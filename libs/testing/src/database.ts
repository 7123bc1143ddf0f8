import { randomUUID } from 'node:crypto';
import { query } from '#launcher';
import { given } from './environment.js';

export interface TestDatabase {
  url: string;
  /** One statement on a connection of its own. */
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Ends every connection and drops the database. */
  drop(): Promise<void>;
}

/** An empty database of its own on the Postgres of this run; `openDataSource` or a service migrates it. */
export async function createTestDatabase(): Promise<TestDatabase> {
  const admin = given('TEST_DATABASE_URL');
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  await query(admin, `CREATE DATABASE ${name}`);
  const url = new URL(admin);
  url.pathname = `/${name}`;
  return {
    url: url.href,
    query: (sql, values) => query(url.href, sql, values),
    async drop() {
      await query(admin, `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`);
    },
  };
}
