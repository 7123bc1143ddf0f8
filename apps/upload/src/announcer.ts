import { setTimeout as sleep } from 'node:timers/promises';
import { type TenantFact, toQueuePriority } from '#contracts';
import type { FactPublisher } from '#events';
import type { Logger } from '#observability';
import type { QueueProducer } from '#queue';

/** A Redis that holds connections and answers nothing must not hold uploads; what was asked stays asked. */
const PATIENCE_MS = 2000;

/**
 * Tells the others what has been committed. Rows are the record: when Redis is away the reconciler
 * adds the work again and clients read the rows, so nothing here fails a request.
 */
export class Announcer {
  constructor(
    private readonly queue: QueueProducer,
    private readonly facts: FactPublisher,
    private readonly logger: Logger,
    private readonly scans: boolean,
    /** Queues the spans of a job that need wait for no more bytes. */
    private readonly releases: (jobId: string) => Promise<void>,
  ) {}

  /** What can not begin yet ends by itself: rows decide. */
  async sourceComplete(jobId: string, priority: number): Promise<void> {
    if (this.scans) {
      const options = { priority: toQueuePriority(priority) };
      await this.tolerant('scan', this.queue.enqueue('scan', { jobId }, options));
    }
    await this.plan(jobId, priority);
    await this.tolerant('span', this.releases(jobId));
    await this.package(jobId, priority);
  }

  /** It may be planned now, or packaged when it was encoded meanwhile. */
  async scanned(jobId: string, priority: number): Promise<void> {
    await this.plan(jobId, priority);
    await this.package(jobId, priority);
  }

  async plan(jobId: string, priority: number): Promise<void> {
    await this.tolerant(
      'plan',
      this.queue.enqueue('plan', { jobId }, { priority: toQueuePriority(priority) }),
    );
  }

  private async package(jobId: string, priority: number): Promise<void> {
    const options = { priority: toQueuePriority(priority) };
    await this.tolerant('package', this.queue.enqueue('package', { jobId }, options));
  }

  async cleanup(assetId: string, sessionId: string): Promise<void> {
    await this.tolerant('cleanup', this.queue.enqueue('cleanup', { assetId, sessionIds: [sessionId] }));
  }

  async publish(...facts: (TenantFact | null)[]): Promise<void> {
    await patiently(this.facts.publish(...facts));
  }

  async close(): Promise<void> {
    this.facts.close();
    await this.queue.close();
  }

  private async tolerant(queue: string, work: Promise<void>): Promise<void> {
    await patiently(
      work.catch((error: unknown) =>
        this.logger.warn({ err: error, queue }, 'not enqueued; the reconciler will'),
      ),
    );
  }
}

async function patiently(work: Promise<void>): Promise<void> {
  const done = new AbortController();
  const patience = sleep(PATIENCE_MS, undefined, { signal: done.signal }).catch(() => undefined);
  await Promise.race([work, patience]);
  done.abort();
}
