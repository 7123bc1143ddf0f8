import { DelayedError, type Job, UnrecoverableError, Worker } from 'bullmq';
import { plainToInstance } from 'class-transformer';
import { validateSync } from 'class-validator';
import { QUEUES, type QueueName, type QueuePayload, SluiceError } from '#contracts';
import { count, type Ids, traced, withIds } from '#observability';
import { QUEUE_PREFIX } from './producer.js';
import { createRedis } from './redis.js';

export interface ConsumerOptions {
  redisUrl: string;
  name: string;
  concurrency: number;
  /** A dead worker's entry is found after one to two of these. */
  lockSeconds: number;
  /**
   * Rows say whose the work is (docs/model.md, Lease): a lock that is lost, as every one is in an outage of
   * Redis that lasts longer than it, ends nothing. Whoever takes the entry meanwhile is told to come later.
   */
  leased?: boolean;
  onError: (error: unknown, queue: QueueName, jobId: string | undefined) => void;
}

/** What a handler may answer: `done`, or come again later (the work is not this worker's now). */
export type Handled = undefined | { retryInMs: number };

export type Handler<Q extends QueueName> = (
  payload: QueuePayload<Q>,
  context: { signal: AbortSignal; attempt: number; lastAttempt: boolean },
) => Promise<Handled>;

export interface Consumer {
  /** Takes nothing more; aborts what still runs after `graceMs` and resolves when all of it has ended. */
  close(graceMs: number): Promise<void>;
  isReady(): boolean;
  /** Throws when it has taken nothing for long although Redis is there: only a new process mends that. */
  assertAlive(): void;
}

/** Why work is interrupted whose process is to stop; somebody else goes on with it. */
export class ServiceStopping extends Error {
  override readonly name = 'ServiceStopping';

  constructor() {
    super('the service is stopping');
  }
}

/**
 * BullMQ waits for work on a connection of its own, and has more than once parked it after an outage for ever,
 * with a worker that looked well. So long it may be away while the other connection is there.
 */
const PARKED_MS = 30_000;

/**
 * A BullMQ worker: the payload is parsed again on the way out of Redis, a lost lock aborts the
 * handler's signal unless its work has a lease, an error that trying again cannot mend is not tried again.
 */
export function consume<Q extends QueueName>(
  queue: Q,
  handler: Handler<Q>,
  options: ConsumerOptions,
): Consumer {
  const connection = createRedis(options.redisUrl, 'blocking', `${options.name}-${queue}`);
  const lockDuration = options.lockSeconds * 1000;
  const running = new Set<AbortController>();

  const run = async (job: Job, token?: string, signal?: AbortSignal): Promise<void> => {
    const payload = parse(queue, job.data);
    const abort = new AbortController();
    signal?.addEventListener('abort', () => abort.abort(signal.reason), { once: true });
    running.add(abort);
    try {
      const attempt = job.attemptsMade + 1;
      const result = await handler(payload, {
        signal: abort.signal,
        attempt,
        lastAttempt: attempt >= (job.opts.attempts ?? 1),
      });
      count('sluice_queue_jobs_total', { queue, result: result ? 'put_back' : 'done' });
      if (result) {
        await job.moveToDelayed(Date.now() + result.retryInMs, token);
        throw new DelayedError();
      }
    } catch (error) {
      if (error instanceof DelayedError) throw error;
      count('sluice_queue_jobs_total', { queue, result: 'failed' });
      options.onError(error, queue, job.id);
      if (error instanceof SluiceError && !error.retryable) throw new UnrecoverableError(error.message);
      throw error;
    } finally {
      running.delete(abort);
    }
  };

  const handlers = new Set<Promise<void>>();
  // BullMQ hands the signal only to a function that names its third parameter.
  const process = async (job: Job, token?: string, signal?: AbortSignal): Promise<void> => {
    const ids = idsIn(job.data);
    const handled = withIds(ids, () => inTrace(queue, job, ids, () => run(job, token, signal)));
    handlers.add(handled);
    try {
      await handled;
    } finally {
      handlers.delete(handled);
    }
  };

  const worker = new Worker(queue, process, {
    connection,
    prefix: QUEUE_PREFIX,
    concurrency: options.concurrency,
    lockDuration,
    stalledInterval: lockDuration,
    // Rows count unclean deaths (docs/model.md); the queue must not give up before they do.
    maxStalledCount: 1_000_000,
    drainDelay: 2,
    // 15 s by default: longer than an outage, and than what may pass after one.
    runRetryDelay: 500,
  });
  let blocking: { status: string } | undefined;
  worker.getBackend().blockingClient?.then(
    (client) => {
      blocking = client;
    },
    () => undefined,
  );
  let parkedSince: number | null = null;
  worker.on('error', () => undefined);
  worker.on('lockRenewalFailed', (ids: string[]) => {
    if (options.leased) return;
    for (const id of ids) worker.cancelJob(id, 'the queue lock was lost');
  });

  return {
    isReady: () => connection.status === 'ready' && blocking?.status === 'ready' && worker.isRunning(),
    assertAlive() {
      const parked = connection.status === 'ready' && (blocking?.status !== 'ready' || !worker.isRunning());
      parkedSince = parked ? (parkedSince ?? performance.now()) : null;
      if (parkedSince !== null && performance.now() - parkedSince > PARKED_MS)
        throw new Error(`the worker of ${queue} does not come back`);
    },
    async close(graceMs) {
      const timer = setTimeout(() => {
        for (const abort of running) abort.abort(new ServiceStopping());
      }, graceMs);
      try {
        // BullMQ would wait for Redis to come back; without it nothing new is taken, and what runs is ours.
        const away = connection.status !== 'ready';
        if (away) await Promise.allSettled(handlers);
        await worker.close(away);
      } finally {
        clearTimeout(timer);
        connection.disconnect();
      }
    },
  };
}

function parse<Q extends QueueName>(queue: Q, data: unknown): QueuePayload<Q> {
  const payload = plainToInstance(QUEUES[queue] as new () => object, data);
  const problems = validateSync(payload, { forbidUnknownValues: true });
  if (problems.length > 0) throw new UnrecoverableError(`bad payload on ${queue}: ${problems.join('; ')}`);
  return payload as QueuePayload<Q>;
}

/** The entry goes on with the trace of who added it. That it comes again later is no error. */
async function inTrace(queue: QueueName, job: Job, ids: Ids, work: () => Promise<void>): Promise<void> {
  let delayed: unknown;
  await traced(
    `queue ${queue}`,
    {
      ...{ 'messaging.system': 'bullmq', 'messaging.destination.name': queue },
      ...{ 'messaging.message.id': job.id ?? '', 'sluice.attempt': job.attemptsMade + 1 },
      ...Object.fromEntries(Object.entries(ids).map(([name, id]) => [`sluice.${name}`, id ?? ''])),
    },
    () =>
      work().catch((error: unknown) => {
        if (!(error instanceof DelayedError)) throw error;
        delayed = error;
      }),
    { kind: 'consumer', parent: job.opts.telemetry?.metadata },
  );
  if (delayed !== undefined) throw delayed;
}

/** For the log: what an entry is about, as far as it says so in words that we know. */
function idsIn(data: unknown): Ids {
  const { jobId, spanId, taskId } = (data ?? {}) as Record<string, unknown>;
  const named = Object.entries({ job_id: jobId, span_id: spanId, task_id: taskId });
  return Object.fromEntries(named.filter((entry): entry is [string, string] => typeof entry[1] === 'string'));
}
