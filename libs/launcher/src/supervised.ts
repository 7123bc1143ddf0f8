import { setTimeout as sleep } from 'node:timers/promises';
import type { Child, Exit } from './child.js';

const FIRST_DELAY_MS = 500;
const LONGEST_DELAY_MS = 10_000;
/** Who has run this long starts again with the first delay. */
const SETTLED_MS = 60_000;

export interface SupervisedOptions {
  /** Resolves when the process is ready; must leave nothing behind when it throws. */
  start: (signal: AbortSignal) => Promise<Child>;
  stopWithinMs: number;
  say: (line: string) => void;
}

/** A process that is started again, with backoff, when it dies by itself. */
export class Supervised {
  private readonly stopping = new AbortController();
  private child: Child | undefined;
  private watching: Promise<void> = Promise.resolve();

  constructor(
    readonly name: string,
    private readonly options: SupervisedOptions,
  ) {}

  /** Throws when the first start fails: that is for a person to mend. Aborted by `stop`. */
  async start(): Promise<void> {
    this.child = await this.options.start(this.stopping.signal);
    this.watching = this.watch(this.child);
  }

  /** Resolves when the process is gone. To be called after `start` has settled or to make it settle. */
  async stop(): Promise<void> {
    this.stopping.abort(new Error('stopping'));
    await this.child?.stop(this.options.stopWithinMs);
    await this.watching;
    await this.child?.stop(this.options.stopWithinMs);
  }

  private async watch(first: Child): Promise<void> {
    const { signal } = this.stopping;
    let child = first;
    let delay = FIRST_DELAY_MS;
    for (;;) {
      const since = Date.now();
      const exit = await child.exited;
      if (signal.aborted) return;
      if (Date.now() - since > SETTLED_MS) delay = FIRST_DELAY_MS;
      this.options.say(
        `${this.name} ended (${describe(exit)}); starting it again. Its log: ${child.logFile}`,
      );
      const next = await this.startAgain(delay);
      if (next === null) return;
      delay = Math.min(delay * 2, LONGEST_DELAY_MS);
      child = next;
      this.child = next;
      this.options.say(`${this.name} is back.`);
    }
  }

  private async startAgain(firstDelay: number): Promise<Child | null> {
    const { signal } = this.stopping;
    for (let delay = firstDelay; !signal.aborted; delay = Math.min(delay * 2, LONGEST_DELAY_MS)) {
      try {
        await sleep(delay, undefined, { signal });
        return await this.options.start(signal);
      } catch (error) {
        if (!signal.aborted)
          this.options.say(`${this.name} could not be started: ${(error as Error).message}`);
      }
    }
    return null;
  }
}

function describe({ code, signal }: Exit): string {
  return signal === null ? `exit status ${code}` : signal;
}
