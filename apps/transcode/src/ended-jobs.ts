import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import { JOB_ENDED_CHANNEL } from '#events';
import type { Logger } from '#observability';
import { Listener } from '#persistence';
import { Places } from './planning/places.js';
import type { Lease } from './spans/lease.js';
import { ENVIRONMENT, LOGGER } from './tokens.js';

/** Every process hears of an end; they look for the next job one after the other, and most find it queued. */
const SPREAD_MS = 50;

/**
 * What is at work for a job that ends, in whatever process, stops at once, and its place is offered to the
 * next. Best effort: without it the lease says so when it is extended, and the reconciler offers the place.
 */
@Injectable()
export class EndedJobs {
  private readonly leases = new Map<string, Set<Lease>>();
  private readonly listener: Listener;
  private offering: Promise<void> | null = null;

  constructor(
    @Inject(ENVIRONMENT) environment: Environment,
    @Inject(LOGGER) private readonly logger: Logger,
    @Inject(Places) private readonly places: Places,
  ) {
    this.listener = new Listener({
      databaseUrl: environment.DATABASE_URL,
      name: 'transcode',
      channel: JOB_ENDED_CHANNEL,
      hear: (jobId) => this.hear(jobId),
    });
  }

  async start(): Promise<void> {
    await this.listener.listen();
  }

  async stop(): Promise<void> {
    await this.listener.close();
    await this.offering;
  }

  /** Runs `work` with a lease that ends with the job. */
  async during<T>(jobId: string, lease: Lease, work: () => Promise<T>): Promise<T> {
    const leases = this.leases.get(jobId) ?? new Set();
    this.leases.set(jobId, leases.add(lease));
    try {
      return await work();
    } finally {
      lease.stop();
      leases.delete(lease);
      if (leases.size === 0 && this.leases.get(jobId) === leases) this.leases.delete(jobId);
    }
  }

  private hear(jobId: string): void {
    for (const lease of this.leases.get(jobId) ?? []) lease.end();
    this.offering ??= sleep(Math.random() * SPREAD_MS)
      .then(() => {
        this.offering = null;
        return this.places.offer();
      })
      .catch((error: unknown) => {
        this.logger.warn({ err: error }, 'the next job was not queued; the reconciler will');
      });
  }
}
