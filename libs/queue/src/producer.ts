import { type JobsOptions, Queue } from 'bullmq';
import { QUEUE_NAMES, type QueueName, type QueuePayload, queueJobId } from '#contracts';
import { traceparent } from '#observability';
import { oldestWait } from './oldest-wait.js';
import { createRedis } from './redis.js';

export const QUEUE_PREFIX = 'sluice';

/** Work that waits with a priority is `prioritized`, without one `waiting`. */
const STATES = ['waiting', 'prioritized', 'active', 'delayed', 'failed'] as const;

export interface EnqueueOptions {
  /** BullMQ's: 1 runs first. See toQueuePriority. */
  priority?: number;
  delayMs?: number;
}

/**
 * Adds work. Entries have fixed ids, so that adding twice is adding once; an entry that ended is
 * removed, so that the reconciler can add it again. Whether work is done is never asked of a queue.
 */
export class QueueProducer {
  private readonly connection;
  private readonly queues = new Map<QueueName, Queue>();

  constructor(redisUrl: string, name: string) {
    this.connection = createRedis(redisUrl, 'producer', `${name}-producer`);
    for (const queue of QUEUE_NAMES) {
      const created = new Queue(queue, { connection: this.connection, prefix: QUEUE_PREFIX });
      created.on('error', () => undefined);
      this.queues.set(queue, created);
    }
  }

  /** The BullMQ queue itself, for the operator's board. */
  all(): Queue[] {
    return [...this.queues.values()];
  }

  async enqueue<Q extends QueueName>(
    queue: Q,
    payload: QueuePayload<Q>,
    options: EnqueueOptions = {},
  ): Promise<void> {
    await this.enqueueAll(queue, [{ payload, options }]);
  }

  async enqueueAll<Q extends QueueName>(
    queue: Q,
    entries: { payload: QueuePayload<Q>; options?: EnqueueOptions }[],
  ): Promise<void> {
    if (entries.length === 0) return;
    const idOf = queueJobId[queue] as (payload: QueuePayload<Q>) => string;
    await this.queue(queue).addBulk(
      entries.map(({ payload, options }) => ({
        name: queue,
        data: payload,
        opts: jobOptions(idOf(payload), options),
      })),
    );
  }

  /**
   * Adds an entry whose earlier run may have been given up, or moves one that waits: rows say what is due, and
   * when. True when there was none.
   */
  async revive<Q extends QueueName>(
    queue: Q,
    payload: QueuePayload<Q>,
    options: EnqueueOptions = {},
  ): Promise<boolean> {
    const idOf = queueJobId[queue] as (payload: QueuePayload<Q>) => string;
    const existing = await this.queue(queue).getJob(idOf(payload));
    if (existing && (await existing.isFailed())) await existing.remove();
    else if (existing && options.priority !== undefined && existing.priority !== options.priority)
      await existing.changePriority({ priority: options.priority });
    await this.enqueue(queue, payload, options);
    return !existing;
  }

  /** Gives an entry that waits another place in line; one that is not there, or at work, is left alone. */
  async move<Q extends QueueName>(queue: Q, payload: QueuePayload<Q>, priority: number): Promise<void> {
    const idOf = queueJobId[queue] as (payload: QueuePayload<Q>) => string;
    const existing = await this.queue(queue).getJob(idOf(payload));
    // It may be taken, or gone, by now.
    if (existing && existing.priority !== priority)
      await existing.changePriority({ priority }).catch(() => undefined);
  }

  /** Adds an entry, or has the one that waits for its time run now. */
  async hasten<Q extends QueueName>(queue: Q, payload: QueuePayload<Q>): Promise<void> {
    const idOf = queueJobId[queue] as (payload: QueuePayload<Q>) => string;
    const existing = await this.queue(queue).getJob(idOf(payload));
    if (existing && (await existing.isDelayed())) await existing.promote();
    else await this.enqueue(queue, payload);
  }

  /**
   * An entry every so often, one for however many processes ask for it. Asking again changes nothing,
   * and brings the schedule back after Redis was emptied. The first entry is due at once.
   */
  async schedule<Q extends QueueName>(queue: Q, payload: QueuePayload<Q>, everyMs: number): Promise<void> {
    const idOf = queueJobId[queue] as (payload: QueuePayload<Q>) => string;
    await this.queue(queue).upsertJobScheduler(
      idOf(payload),
      { every: everyMs },
      // The next one comes anyway.
      { name: queue, data: payload, opts: { attempts: 1, removeOnComplete: true, removeOnFail: 10 } },
    );
  }

  /** Takes an entry out unless a worker holds it. True when it is no longer there. */
  async remove<Q extends QueueName>(queue: Q, payload: QueuePayload<Q>): Promise<boolean> {
    const idOf = queueJobId[queue] as (payload: QueuePayload<Q>) => string;
    try {
      await this.queue(queue).remove(idOf(payload));
      return true;
    } catch {
      return false;
    }
  }

  /** Where an entry is, in BullMQ's word; `unknown`: there is none. */
  async stateOf(queue: QueueName, entryId: string): Promise<string> {
    return this.queue(queue).getJobState(entryId);
  }

  /** Entries of every queue by their state. */
  async lengths(): Promise<{ queue: QueueName; state: string; entries: number }[]> {
    const counts = await Promise.all(
      [...this.queues].map(async ([name, queue]) => ({ name, states: await queue.getJobCounts(...STATES) })),
    );
    return counts.flatMap(({ name, states }) =>
      Object.entries(states).map(([state, entries]) => ({ queue: name, state, entries })),
    );
  }

  /** Seconds that the oldest entry of every queue has waited; 0 where none waits. */
  async ages(): Promise<{ queue: QueueName; seconds: number }[]> {
    return Promise.all(
      [...this.queues].map(async ([name, queue]) => ({
        queue: name,
        seconds: await oldestWait(this.connection, (key) => queue.toKey(key)),
      })),
    );
  }

  queue(name: QueueName): Queue {
    const queue = this.queues.get(name);
    if (!queue) throw new Error(`no queue ${name}`);
    return queue;
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.all().map((queue) => queue.close()));
    this.connection.disconnect();
  }
}

function jobOptions(jobId: string, options: EnqueueOptions = {}): JobsOptions {
  const trace = traceparent();
  return {
    jobId,
    attempts: 5,
    backoff: { type: 'exponential', delay: 500, jitter: 0.3 },
    removeOnComplete: true,
    removeOnFail: { count: 1000, age: 7 * 24 * 3600 },
    ...(options.priority === undefined ? {} : { priority: options.priority }),
    ...(options.delayMs === undefined ? {} : { delay: options.delayMs }),
    // Beside the payload: a consumer of another version finds the same payload, with or without it.
    ...(trace === undefined ? {} : { telemetry: { metadata: trace } }),
  };
}
