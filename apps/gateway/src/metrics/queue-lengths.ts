import { gauge } from '#observability';
import type { QueueProducer } from '#queue';

/** Queues are counted no more often than this, however many scrapers ask. */
const FRESH_MS = 2000;

/** `sluice_queue_length` of every queue; left out while Redis is away (S3-14). */
export function tellQueueLengths(queues: QueueProducer): void {
  let counted = 0;
  let lengths = Promise.resolve<Awaited<ReturnType<QueueProducer['lengths']>>>([]);
  gauge('sluice_queue_length', async () => {
    if (Date.now() - counted > FRESH_MS) {
      counted = Date.now();
      lengths = queues.lengths();
    }
    return (await lengths).map(({ queue, state, entries }) => ({ labels: { queue, state }, value: entries }));
  });
}
