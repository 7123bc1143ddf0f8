import { Worker } from 'node:worker_threads';
import { SluiceError } from '#contracts';
import type { StorageEnvironment } from '#storage';
import type { DigestAnswer, DigestOrder, Numbered } from './protocol.js';

/** Files that one thread reads at once: a store across a network answers late, and meanwhile another one has bytes. */
const FILES_AT_ONCE = 4;

/** What a store across a network sends lies outside of the heap until a collection, which a small one has sooner. */
const YOUNG_MIB = 2;

interface Asked {
  resolve(answer: DigestAnswer): void;
  reject(error: Error): void;
}

/** A thread that hashes. It holds the state of any number of files and is busy only while one of them has bytes. */
export class DigestThread {
  private readonly worker: Worker;
  private readonly asked = new Map<number, Asked>();
  private readonly waiting: (() => void)[] = [];
  private busy = 0;
  private number = 0;
  private ended = false;

  constructor(storage: StorageEnvironment) {
    this.worker = new Worker(new URL('./digest.worker.js', import.meta.url), {
      workerData: { storage },
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB },
    });
    this.worker.on('message', ({ number, content }: Numbered<DigestAnswer>) => {
      this.asked.get(number)?.resolve(content);
      this.asked.delete(number);
    });
    this.worker.on('error', () => undefined);
    this.worker.once('exit', () => {
      this.ended = true;
      for (const { reject } of this.asked.values()) reject(stopped());
      this.asked.clear();
    });
  }

  get isEnded(): boolean {
    return this.ended;
  }

  /** Throws what the thread met, or `unavailable` when it has ended and everything it knew with it. */
  async ask(order: DigestOrder): Promise<DigestAnswer> {
    if (this.busy === FILES_AT_ONCE) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.busy += 1;
    try {
      const answer = await this.post(order);
      if ('code' in answer) throw new SluiceError(answer.code, answer.message);
      return answer;
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.busy -= 1;
    }
  }

  async stop(): Promise<void> {
    await this.worker.terminate();
  }

  private post(content: DigestOrder): Promise<DigestAnswer> {
    if (this.ended) throw stopped();
    return new Promise((resolve, reject) => {
      this.number += 1;
      this.asked.set(this.number, { resolve, reject });
      this.worker.postMessage({ number: this.number, content } satisfies Numbered<DigestOrder>);
    });
  }
}

const stopped = () =>
  new SluiceError('unavailable', 'Reading the file was stopped; try again in a few seconds.');
