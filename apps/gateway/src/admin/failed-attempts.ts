import { networkOf } from '#http';

/** A person mistypes now and then; a program that guesses gets ten a minute from each address. */
const ALLOWED = 10;
const WINDOW_MS = 60_000;
const ADDRESSES_AT_MOST = 10_000;

/** Wrong passwords by address, of this process. */
export class FailedAttempts {
  private readonly byAddress = new Map<string, { count: number; until: number }>();

  /** Seconds that this address has to wait; 0: it may try. */
  secondsToWait(address: string, now = performance.now()): number {
    const entry = this.byAddress.get(networkOf(address));
    if (!entry || entry.until <= now || entry.count < ALLOWED) return 0;
    return Math.ceil((entry.until - now) / 1000);
  }

  note(from: string, now = performance.now()): void {
    const address = networkOf(from);
    const entry = this.byAddress.get(address);
    if (entry && entry.until > now) {
      entry.count++;
      return;
    }
    this.byAddress.delete(address);
    // The oldest window goes first: a map keeps the order of its keys.
    const [oldest] = this.byAddress.keys();
    if (this.byAddress.size >= ADDRESSES_AT_MOST && oldest !== undefined) this.byAddress.delete(oldest);
    this.byAddress.set(address, { count: 1, until: now + WINDOW_MS });
  }
}
