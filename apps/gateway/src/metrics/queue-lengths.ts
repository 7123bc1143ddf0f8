import { gauge } from '#observability';
import type { QueueProducer } from '#queue';
import { seldom } from './seldom.js';

/** Queues are counted no more often than this, however many scrapers ask. */
const FRESH_MS = 2000;

/** `sluice_queue_length` and `sluice_queue_oldest_seconds` of every queue; left out while Redis is away (S3-14). */
export function tellQueueLengths(queues: QueueProducer): void {
  const lengths = seldom(FRESH_MS, () => queues.lengths());
  gauge('sluice_queue_length', async () =>
    (await lengths()).map(({ queue, state, entries }) => ({ labels: { queue, state }, value: entries })),
  );
  const ages = seldom(FRESH_MS, () => queues.ages());
  gauge('sluice_queue_oldest_seconds', async () =>
    (await ages()).map(({ queue, seconds }) => ({ labels: { queue }, value: seconds })),
  );
}
