import type { StorageEnvironment } from '#storage';
import { DigestThread } from './thread.js';

/** More would only share the same disk and cores with the requests. */
const THREADS = 2;

/** Threads that hash; files are dealt out in turns. One that has ended is started again when it is needed. */
export class DigestThreads {
  private readonly threads: DigestThread[] = [];
  private turn = 0;

  constructor(private readonly storage: StorageEnvironment) {}

  /** The first file does not wait for them. */
  start(): void {
    for (let count = 0; count < THREADS; count += 1) this.next();
  }

  /** For one file, to its end: its state does not travel. */
  next(): DigestThread {
    this.turn = (this.turn + 1) % THREADS;
    const thread = this.threads[this.turn];
    if (thread && !thread.isEnded) return thread;
    const started = new DigestThread(this.storage);
    this.threads[this.turn] = started;
    return started;
  }

  async close(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread?.stop()));
  }
}
