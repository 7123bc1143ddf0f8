import { type TenantFact, toQueuePriority } from '#contracts';
import type { FactPublisher } from '#events';
import type { Logger } from '#observability';
import type { QueueProducer } from '#queue';

/**
 * Tells the others what has been committed. Rows are the record: when Redis is away the reconciler
 * adds the work again and clients read the rows, so nothing here fails a request.
 */
export class Announcer {
  constructor(
    private readonly queue: QueueProducer,
    private readonly facts: FactPublisher,
    private readonly logger: Logger,
  ) {}

  async plan(jobId: string, priority: number): Promise<void> {
    await this.tolerant(
      'plan',
      this.queue.enqueue('plan', { jobId }, { priority: toQueuePriority(priority) }),
    );
  }

  async cleanup(assetId: string, sessionId: string): Promise<void> {
    await this.tolerant('cleanup', this.queue.enqueue('cleanup', { assetId, sessionIds: [sessionId] }));
  }

  async publish(...facts: (TenantFact | null)[]): Promise<void> {
    await this.facts.publish(...facts);
  }

  async close(): Promise<void> {
    this.facts.close();
    await this.queue.close();
  }

  private async tolerant(queue: string, work: Promise<void>): Promise<void> {
    await work.catch((error: unknown) =>
      this.logger.warn({ err: error, queue }, 'not enqueued; the reconciler will'),
    );
  }
}
