import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { SluiceError } from '#contracts';
import type { StorageEnvironment } from '#storage';
import type { DigestAnswer, DigestOrder } from './protocol.js';

/** Two files at a time: more would only share the same disk and cores. */
const AT_ONCE = 2;

export type Ask = (order: DigestOrder) => Promise<DigestAnswer>;

/**
 * Threads that hash, started when they are first needed and kept: starting one costs far more than
 * hashing a small file.
 */
export class DigestThreads {
  private readonly idle: Worker[] = [];
  private readonly all = new Set<Worker>();
  private readonly waiting: (() => void)[] = [];
  private free = AT_ONCE;
  private closed = false;

  constructor(private readonly storage: StorageEnvironment) {}

  get isClosed(): boolean {
    return this.closed;
  }

  /** Lends a thread for one file. A thread that failed has half a hash in it and is not lent again. */
  async use<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    if (this.free === 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.free -= 1;
    try {
      if (this.closed) throw stopped();
      return await this.lend(work);
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.all].map((worker) => worker.terminate()));
  }

  private async lend<T>(work: (ask: Ask) => Promise<T>): Promise<T> {
    const worker = this.idle.pop() ?? this.start();
    try {
      const result = await work((order) => ask(worker, order));
      if (this.all.has(worker)) this.idle.push(worker);
      return result;
    } catch (error) {
      await worker.terminate();
      throw error;
    }
  }

  private start(): Worker {
    const worker = new Worker(new URL('./digest.worker.js', import.meta.url), {
      workerData: { storage: this.storage },
    });
    this.all.add(worker);
    worker.on('error', () => undefined);
    worker.once('exit', () => {
      this.all.delete(worker);
      const at = this.idle.indexOf(worker);
      if (at >= 0) this.idle.splice(at, 1);
    });
    return worker;
  }
}

async function ask(worker: Worker, order: DigestOrder): Promise<DigestAnswer> {
  const abort = new AbortController();
  const { signal } = abort;
  try {
    const gone = once(worker, 'exit', { signal }).then(() => {
      throw stopped();
    });
    const answered = once(worker, 'message', { signal });
    worker.postMessage(order);
    const [answer] = (await Promise.race([answered, gone])) as [DigestAnswer];
    if ('code' in answer) throw new SluiceError(answer.code, answer.message);
    return answer;
  } finally {
    abort.abort();
  }
}

const stopped = () =>
  new SluiceError('unavailable', 'Reading the file was stopped; try again in a few seconds.');
