import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { SERVICES } from '#contracts';
import { freePort, startPostgres, startRedis } from '#launcher';
import type { Plan } from '#media';
import { startStack, waitFor } from '#testing';
import { cpuSecondsOf } from './cpu.js';
import type { Cost } from './plain.js';

/** Settings of production, not the short locks of the tests. */
const PRODUCTION = {
  NODE_ENV: 'production',
  LOG_LEVEL: 'warn',
  QUEUE_LOCK_SECONDS: '5',
  LEASE_SECONDS: '8',
  RECONCILE_INTERVAL_SECONDS: '5',
  DATABASE_POOL_SIZE: '10',
  ENABLE_DEDUPLICATION: 'false',
  UPLOAD_MAX_FILE_SIZE: String(4 * 1024 ** 3),
};
const LONGEST_JOB_MS = 30 * 60_000;

export interface EngineRun extends Cost {
  plan: Plan;
  /** From the last byte's confirmation to a stream that plays. */
  playableSeconds: number;
}

export interface Engine {
  /** A folder of this run, for the other side, on the same disk. */
  dir: string;
  run(source: string): Promise<EngineRun>;
  stop(): Promise<void>;
}

/** The whole product on a Redis and a Postgres of its own, both durable as in `npm start`. */
export async function startEngine(): Promise<Engine> {
  const dir = await mkdtemp(path.join(tmpdir(), 'sluice-bench-'));
  // Postgres may run as another user (it refuses root).
  await chmod(dir, 0o711);
  const ending: (() => Promise<unknown>)[] = [() => rm(dir, { recursive: true, force: true, maxRetries: 3 })];
  const stop = async () => {
    for (const end of ending.reverse()) await end();
  };
  try {
    const common = { password: 'bench', durable: true };
    const redis = await startRedis({
      ...common,
      dir: path.join(dir, 'redis'),
      port: await freePort(),
      logFile: path.join(dir, 'redis.log'),
    });
    ending.push(() => redis.child.stop(5000));
    const postgres = await startPostgres({
      ...common,
      dir: path.join(dir, 'postgres'),
      port: await freePort(),
      logFile: path.join(dir, 'postgres.log'),
    });
    ending.push(() => postgres.child.stop(10_000));
    process.env.TEST_DATABASE_URL = postgres.url('postgres');
    process.env.TEST_REDIS_URL = redis.url;
    process.env.TEST_DIR = dir;
    const stack = await startStack({ env: { ...PRODUCTION, REDIS_URL: redis.url } });
    ending.push(() => stack.stop());
    const roots = [
      redis.child.pid,
      postgres.child.pid,
      ...SERVICES.flatMap((name) => stack.processes[name].map((service) => service.process.pid)),
    ];
    return { dir, stop, run: (source) => runJob(stack, roots, source) };
  } catch (error) {
    await stop();
    throw error;
  }
}

type TestStack = Awaited<ReturnType<typeof startStack>>;

async function runJob(stack: TestStack, roots: number[], file: string): Promise<EngineRun> {
  const source = await fileSource(file);
  let cpuBefore = 0;
  const client = new SluiceClient({ uploadUrl: stack.urls.upload });
  const session = await client.upload(
    {
      ...source,
      name: source.name,
      size: source.size,
      // The last reading stands before the last chunk: nothing of the processing is left out.
      read: (start, end) => {
        cpuBefore = cpuSecondsOf(roots);
        return source.read(start, end);
      },
    },
    { order: 'sequential', parallel: 1, chunkSize: 8 * 1024 * 1024 },
  );
  const id = session.job_id;
  await waitFor(
    async () => {
      const [job] = await stack.query('SELECT status, error_code, error_message FROM jobs WHERE id = $1', [
        id,
      ]);
      return job?.status === 'completed' || job?.status === 'failed';
    },
    { what: `job ${id} to end`, timeoutMs: LONGEST_JOB_MS, intervalMs: 250 },
  );
  const cpuAfter = cpuSecondsOf(roots);
  const [row] = await stack.query(
    `SELECT j.status, j.error_message, j.plan,
       EXTRACT(EPOCH FROM j.playable_at - s.completed_at)::float8 AS playable,
       EXTRACT(EPOCH FROM (SELECT MAX(stored_at) FROM segments WHERE job_id = j.id) - s.completed_at)::float8 AS wall
     FROM jobs j JOIN upload_sessions s ON s.job_id = j.id WHERE j.id = $1`,
    [id],
  );
  if (row?.status !== 'completed') throw new Error(`the job failed: ${row?.error_message}`);
  return {
    plan: row.plan as Plan,
    wallSeconds: Number(row.wall),
    playableSeconds: Number(row.playable),
    cpuSeconds: cpuAfter - cpuBefore,
  };
}
