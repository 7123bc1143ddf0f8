import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type PostgresServer, query, startPostgres } from '#launcher';
import { DataSource, dataSourceOptions } from '#persistence';
import { testDir, testPort, waitFor } from '#testing';
import { MAX_CHUNK, MAX_FILE, planOf } from '../upload/property/plan.js';
import { seedOfThisRun } from '../upload/property/random.js';
import { type Case, type Client, run } from '../upload/property/run.js';
import { takePicture, verify } from '../upload/property/verify.js';
import { codeOf, created, look, put, startUploads, type UploadStack, videoBytes } from '../upload/support.js';

const seed = seedOfThisRun();
const CASES = 12;

let postgres: PostgresServer;
let options: Parameters<typeof startPostgres>[0];
let stack: UploadStack;

/** Two upload processes on a Postgres of their own, which may be taken away from them. */
beforeAll(async () => {
  console.log(`SLUICE_TEST_SEED=${seed}`);
  const dir = await testDir('postgres');
  options = {
    dir: join(dir, 'cluster'),
    port: await testPort(),
    password: 'own',
    logFile: join(dir, 'log'),
    durable: false,
  };
  // Made without waiting for the disk, then run as in production: what was committed survives a crash.
  await (await startPostgres(options)).child.stop(10_000);
  options.durable = true;
  postgres = await startPostgres(options);
  await query(postgres.url('postgres'), 'CREATE DATABASE uploads');
  const started = await startUploads(2, {
    DATABASE_URL: postgres.url('uploads'),
    DATABASE_POOL_SIZE: '2',
    UPLOAD_MAX_CHUNK_SIZE: String(MAX_CHUNK),
    UPLOAD_MAX_FILE_SIZE: String(MAX_FILE),
  });
  stack = { ...started, query: (sql, values) => query(postgres.url('uploads'), sql, values) };
});
afterAll(async () => {
  await stack?.stop();
  await postgres?.child.stop(10_000);
});

describe('two upload processes', () => {
  it('S3-06 go on by themselves after Postgres crashed under them; what was confirmed is there', async () => {
    let back: Promise<unknown> = Promise.resolve();
    const client: Client = { uploads: stack.uploads, kills: true, back: () => back, requests: 0 };
    const doors = ['bytes', 'form', 'both'] as const;
    const cases: Promise<Case>[] = Array.from({ length: CASES }, (_, number) =>
      run(planOf(seed, number, doors[number % 3]!), client),
    );
    await waitFor(() => client.requests > 40, { intervalMs: 1, what: 'requests' });
    // SIGQUIT is what pg_ctl calls an immediate stop: no checkpoint, recovery at the next start.
    postgres.child.kill('SIGQUIT');
    back = postgres.child.exited.then(async () => {
      postgres = await startPostgres(options);
      for (const url of stack.uploads)
        await waitFor(async () => (await fetch(`${url}/health`)).ok, { what: 'the pool to recover' });
    });
    await back;
    const ended = await Promise.all(cases);
    const digests = async () => {
      await stack.query(
        `UPDATE upload_sessions SET completed_at = completed_at - interval '2 minutes' WHERE sha256 IS NULL`,
      );
      const sql = `SELECT 1 FROM upload_sessions WHERE status = 'completed' AND sha256 IS NULL LIMIT 1`;
      return (await stack.query(sql)).length === 0;
    };
    await waitFor(digests, { what: 'the digests' });
    const picture = await takePicture(stack);
    for (const seen of ended) await verify(stack, picture, seen);
    const failed = ended.filter((seen) => seen.problems.length > 0);
    const told = failed
      .slice(0, 2)
      .map(({ plan, log, problems }) => [plan.name, ...problems, ...log].join('\n'));
    expect(failed.length, told.join('\n\n')).toBe(0);
  });

  it('S3-06 with their pools used up answer 503 in a bounded time, are not ready but live, and go on', async () => {
    const url = stack.uploads[0]!;
    const ids: string[] = [];
    for (let count = 0; count < 3; count += 1) ids.push((await created(url, { size: 2000 })).session_id);
    const database = new DataSource(
      dataSourceOptions({ databaseUrl: postgres.url('uploads'), poolSize: 1, name: 'test' }),
    );
    await database.initialize();
    const runner = database.createQueryRunner();
    try {
      await runner.startTransaction();
      await runner.query('SELECT 1 FROM upload_sessions WHERE id = ANY($1) FOR UPDATE', [ids]);
      const file = videoBytes(1000);
      const held = ids.slice(0, 2).map((id) => put(url, id, 0, file));
      const waiting = async () =>
        (await stack.query(`SELECT pid FROM pg_stat_activity WHERE wait_event_type = 'Lock'`)).length === 2;
      await waitFor(waiting, { what: 'both connections to wait' });
      const refused = await look(url, ids[2]!);
      expect(codeOf(refused)).toEqual([503, 'unavailable']);
      expect([(await fetch(`${url}/health/live`)).status, (await fetch(`${url}/health`)).status]).toEqual([
        200, 503,
      ]);
      expect((await look(stack.uploads[1]!, ids[2]!)).status).toBe(200);
      await runner.rollbackTransaction();
      for (const { body } of await Promise.all(held)) expect(body.data.written).toBe(true);
      expect((await look(url, ids[2]!)).status).toBe(200);
    } finally {
      await runner.release();
      await database.destroy();
    }
  });
});
