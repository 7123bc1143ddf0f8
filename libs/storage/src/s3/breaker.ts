import { SluiceError } from '#contracts';
import type { StoreState, StoreWatch } from '../open-store.js';

/** So many failures in a row, over so long: one restart of the store breaks many requests at once, and retries outlive it. */
const RUN = 5;
const RUN_MS = 2000;
const OPEN_MS = 2000;

/**
 * Of one process (S0-14): while a store does not answer, requests fail at once instead of holding
 * clients, bodies and connections until each has timed out. One request is let through each OPEN_MS;
 * one that is never heard of again holds nobody up. Any answer that is not the store's failure closes.
 */
export class Breaker {
  private state: StoreState = 'closed';
  private failures = 0;
  private since = 0;
  private retryAt = 0;

  constructor(private readonly watch?: StoreWatch) {}

  /** Throws while open. */
  enter(): void {
    if (this.state === 'closed') return;
    if (performance.now() < this.retryAt) {
      throw new SluiceError(
        'unavailable',
        'The storage has not answered lately; try again in a few seconds.',
      );
    }
    this.retryAt = performance.now() + OPEN_MS;
    this.become('half_open');
  }

  answered(): void {
    this.failures = 0;
    this.become('closed');
  }

  failed(reason: string): void {
    const now = performance.now();
    if (this.failures === 0) this.since = now;
    this.failures += 1;
    const isRun = this.failures >= RUN && now - this.since >= RUN_MS;
    if (this.state === 'open' || (this.state === 'closed' && !isRun)) return;
    this.retryAt = now + OPEN_MS;
    this.become('open', reason);
  }

  private become(state: StoreState, reason?: string): void {
    if (this.state === state) return;
    this.state = state;
    this.watch?.(state, reason);
  }
}
