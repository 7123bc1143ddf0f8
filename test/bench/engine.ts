import { SluiceClient } from '#client';
import { fileSource } from '#client/node';
import { SERVICES } from '#contracts';
import type { Plan } from '#media';
import { QueueProducer } from '#queue';
import { startStack, waitFor } from '#testing';
import { ENCODE_ONLY, PRODUCTION, startBacking } from './backing.js';
import { cpuSecondsOf } from './cpu.js';
import type { Cost } from './plain.js';

const LONGEST_JOB_MS = 30 * 60_000;

export interface EngineRun extends Cost {
  plan: Plan;
  /** From when planning may begin, with all of the file there, to a stream that plays. */
  playableSeconds: number;
}

export interface Engine {
  /** A folder of this run, for the other side, on the same disk. */
  dir: string;
  run(source: string): Promise<EngineRun>;
  stop(): Promise<void>;
}

/** The whole product on a Redis and a Postgres of its own. */
export async function startEngine(): Promise<Engine> {
  const backing = await startBacking();
  try {
    const stack = await startStack({ env: { ...PRODUCTION, ...ENCODE_ONLY, REDIS_URL: backing.redisUrl } });
    const roots = [
      ...backing.pids,
      ...SERVICES.flatMap((name) => stack.processes[name].map((service) => service.process.pid)),
    ];
    const stop = async () => {
      await stack.stop();
      await backing.stop();
    };
    return { dir: backing.dir, stop, run: (source) => runJob(stack, roots, source) };
  } catch (error) {
    await backing.stop();
    throw error;
  }
}

type TestStack = Awaited<ReturnType<typeof startStack>>;

async function runJob(stack: TestStack, roots: number[], file: string): Promise<EngineRun> {
  const client = new SluiceClient({ uploadUrl: stack.urls.upload });
  // It would begin while the file comes, as the plain command cannot: what is measured here is the encode alone.
  const queues = new QueueProducer(stack.redisUrl, 'bench');
  await queues.queue('plan').pause();
  const session = await client.upload(await fileSource(file), { chunkSize: 8 * 1024 * 1024 });
  const id = session.job_id;
  const cpuBefore = cpuSecondsOf(roots);
  const [from] = await stack.query('SELECT clock_timestamp() AS begun');
  await queues.queue('plan').resume();
  await queues.close();
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
       EXTRACT(EPOCH FROM j.playable_at - $2::timestamptz)::float8 AS playable,
       EXTRACT(EPOCH FROM (SELECT MAX(stored_at) FROM segments WHERE job_id = j.id) - $2::timestamptz)::float8 AS wall
     FROM jobs j WHERE j.id = $1`,
    [id, from?.begun],
  );
  if (row?.status !== 'completed') throw new Error(`the job failed: ${row?.error_message}`);
  return {
    plan: row.plan as Plan,
    wallSeconds: Number(row.wall),
    playableSeconds: Number(row.playable),
    cpuSeconds: cpuAfter - cpuBefore,
  };
}
