import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import type { OnModuleDestroy } from '@nestjs/common';
import { SluiceError } from '#contracts';
import type { Logger } from '#observability';
import type { SourceReader } from '../chunks/source-reader.js';
import type { Rows } from '../rows.js';
import type { SessionRow } from '../sessions/session-row.js';
import type { DigestAnswer, DigestOrder, StorageEnvironment } from './protocol.js';

/** Two files at a time: more would only share the same disk and cores. */
const AT_ONCE = 2;

/** SHA-256 of whole files from their chunks, on threads of their own, so that requests go on being answered. */
export class DigestService implements OnModuleDestroy {
  private readonly running = new Map<string, Promise<string>>();
  private readonly workers = new Set<Worker>();
  private readonly waiting: (() => void)[] = [];
  private free = AT_ONCE;
  private closed = false;

  constructor(
    private readonly rows: Rows,
    private readonly source: SourceReader,
    private readonly storage: StorageEnvironment,
    private readonly logger: Logger,
  ) {}

  /** Lower-case hex. Who asks while it is being computed gets the same one. Throws `object_not_found` when chunks go. */
  compute(sessionId: string): Promise<string> {
    const running = this.running.get(sessionId);
    if (running) return running;
    const digest = this.inTurn(() => this.read(sessionId)).finally(() => this.running.delete(sessionId));
    this.running.set(sessionId, digest);
    return digest;
  }

  /** In the background, for a completed session that promised no hash. Lost with the process: the sweeper asks again. */
  fillIn(session: Pick<SessionRow, 'id'>): void {
    this.store(session.id).catch((error: unknown) => {
      if (!this.closed)
        this.logger.warn({ err: error, session_id: session.id }, 'the digest is not known yet');
    });
  }

  async onModuleDestroy(): Promise<void> {
    this.closed = true;
    await Promise.all([...this.workers].map((worker) => worker.terminate()));
  }

  private async store(sessionId: string): Promise<void> {
    const sha256 = await this.compute(sessionId);
    await this.rows.transaction(async (manager) => {
      const session = await this.rows.sessions.lock(manager, sessionId);
      await this.rows.sessions.setDigest(manager, sessionId, sha256);
      await this.rows.jobs.setDigest(manager, session.assetId, sha256);
    });
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.free === 0) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.free -= 1;
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.free += 1;
    }
  }

  private async read(sessionId: string): Promise<string> {
    if (this.closed) throw new SluiceError('unavailable', 'This process is stopping; ask again.');
    const worker = new Worker(new URL('./digest.worker.js', import.meta.url), {
      workerData: { storage: this.storage },
    });
    this.workers.add(worker);
    try {
      for await (const page of this.source.pages(sessionId))
        await order(worker, { keys: page.map((chunk) => chunk.key) });
      const answer = await order(worker, { keys: null });
      if ('sha256' in answer) return answer.sha256;
      throw new SluiceError('internal', 'The digest of this file could not be computed; try again.');
    } finally {
      this.workers.delete(worker);
      await worker.terminate();
    }
  }
}

async function order(worker: Worker, message: DigestOrder): Promise<DigestAnswer> {
  const abort = new AbortController();
  const { signal } = abort;
  try {
    // `once` rejects on the worker's own 'error'; an exit without an answer is the end of it, too.
    const gone = once(worker, 'exit', { signal }).then(() => {
      throw new SluiceError('unavailable', 'Reading the file was stopped; ask again.');
    });
    const answered = once(worker, 'message', { signal });
    worker.postMessage(message);
    const [answer] = (await Promise.race([answered, gone])) as [DigestAnswer];
    if ('code' in answer) throw new SluiceError(answer.code, answer.message);
    return answer;
  } finally {
    abort.abort();
  }
}
