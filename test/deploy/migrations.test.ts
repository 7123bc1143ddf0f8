import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DataSource, migrate, openDataSource } from '#persistence';
import { createTestDatabase, type TestDatabase, waitFor } from '#testing';

describe('migrations beside an older version at work', () => {
  let database: TestDatabase;
  let dataSource: DataSource;
  beforeAll(async () => {
    database = await createTestDatabase();
    dataSource = await openDataSource({ databaseUrl: database.url, poolSize: 4, name: 'test' });
  });
  afterAll(async () => {
    await dataSource?.destroy();
    await database?.drop();
  });

  it('a lock that does not come is given up for those that wait behind it, and asked for again', async () => {
    await dataSource.undoLastMigration();
    expect(await dataSource.showMigrations()).toBe(true);
    const older = dataSource.createQueryRunner();
    await older.startTransaction();
    // Whatever the last migration changes, somebody writes there.
    for (const { tablename } of await older.query(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    ))
      await older.query(`LOCK TABLE "${tablename}" IN ROW EXCLUSIVE MODE`);
    const waiting = async () =>
      (await database.query('SELECT pid FROM pg_locks WHERE NOT granted AND relation IS NOT NULL')).length;
    const migrating = migrate(dataSource);
    await waitFor(async () => (await waiting()) > 0, { what: 'the migration to wait' });
    await waitFor(async () => (await waiting()) === 0, { what: 'the migration to give way' });
    await older.commitTransaction();
    await older.release();
    await migrating;
    expect(await dataSource.showMigrations()).toBe(false);
  }, 60_000);
});
