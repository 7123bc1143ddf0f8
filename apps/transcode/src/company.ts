import { setTimeout as sleep } from 'node:timers/promises';
import { Injectable } from '@nestjs/common';
import { UNCLEAN_DEATHS_AT_MOST } from '#contracts';

/** What runs for longer beside work that is to be alone is an hour's copy, and does not start just then. */
const PATIENCE_MS = 30_000;

/**
 * Who runs beside whom in this process. Work that kills its process takes its neighbours along, and a death
 * counts for all of them (S0-16): so that none is set aside for the fault of another, each takes its last
 * chance alone.
 */
@Injectable()
export class Company {
  private readonly running = new Set<Promise<unknown>>();
  private single: Promise<unknown> | null = null;

  /** Runs `work` beside others, and again alone when it answers `alone`; it must hold nothing by then. */
  async run<T>(work: (isAlone: boolean) => Promise<T | 'alone'>, signal: AbortSignal): Promise<T> {
    await this.whileSingle();
    const done = await this.note(work(false));
    return done === 'alone' ? this.alone(() => work(true) as Promise<T>, signal) : done;
  }

  /** Nothing begins from now on; what runs already is waited for, up to a limit. */
  private async alone<T>(work: () => Promise<T>, signal: AbortSignal): Promise<T> {
    await this.whileSingle();
    const given = new AbortController();
    const patience = sleep(PATIENCE_MS, undefined, { signal: AbortSignal.any([signal, given.signal]) });
    const others = Promise.allSettled(this.running);
    const single = Promise.race([others, patience.catch(() => undefined)]).then(() => {
      given.abort();
      return work();
    });
    this.single = single;
    try {
      return await single;
    } finally {
      this.single = null;
    }
  }

  private async whileSingle(): Promise<void> {
    while (this.single) await this.single.catch(() => undefined);
  }

  private async note<T>(work: Promise<T>): Promise<T> {
    this.running.add(work);
    try {
      return await work;
    } finally {
      this.running.delete(work);
    }
  }
}

/** One more death, and work is set aside. */
export const isLastChance = (uncleanDeaths: number): boolean => uncleanDeaths === UNCLEAN_DEATHS_AT_MOST - 1;
