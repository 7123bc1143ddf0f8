import type { Logger } from './logger.js';
import { count } from './metrics/metrics.js';

/** What every service says and counts of the circuit breaker before its object store (S0-14). */
export const storeWatch =
  (logger: Logger) =>
  (state: 'closed' | 'open' | 'half_open', reason?: string): void => {
    count('sluice_store_breaker_total', { state });
    if (state === 'open') logger.warn({ reason }, 'the object store does not answer: requests fail at once');
    else if (state === 'closed') logger.info('the object store answers again');
    else logger.debug('one request asks whether the object store answers again');
  };
