import { join } from 'node:path';
import { expect, it } from 'vitest';
import { query, startChild } from '#launcher';
import { openDataSource } from '#persistence';
import { createRedis } from '#queue';
import { createTestDatabase, descendantsOf, stillRunning, testDir, testRedisUrl, waitFor } from '#testing';

it('a test file has a Postgres database of its own that takes the migrations', async () => {
  const database = await createTestDatabase({ empty: true });
  const dataSource = await openDataSource({ databaseUrl: database.url, poolSize: 2, name: 'test' });
  expect(await database.query('SELECT count(*)::int AS jobs FROM jobs')).toEqual([{ jobs: 0 }]);
  await dataSource.destroy();
  await database.drop();
  await expect(query(database.url, 'SELECT 1')).rejects.toThrow(/does not exist/);
});

it('two test files do not see each other in Redis', async () => {
  const [one, two] = [await testRedisUrl(), await testRedisUrl()].map((url) =>
    createRedis(url, 'producer', 'test'),
  );
  await one?.set('key', 'mine');
  expect(await two?.get('key')).toBeNull();
  one?.disconnect();
  two?.disconnect();
});

it('a child that does not obey is killed with everything below it', async () => {
  const dir = await testDir('child');
  const child = await startChild({
    name: 'stubborn',
    command: 'sh',
    args: ['-c', 'trap "" TERM; sleep 321 & echo started; while true; do sleep 0.1; done'],
    logFile: join(dir, 'log'),
  });
  const below = await waitFor(
    () => {
      const found = descendantsOf(child.pid).filter((process) => process.command === 'sleep 321');
      return found.length === 1 && found;
    },
    { what: 'the child to have started its own' },
  );
  expect(await child.stop(200)).toEqual({ code: null, signal: 'SIGKILL' });
  await waitFor(() => stillRunning(below).length === 0, { what: 'the grandchild to be gone' });
});
