import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { FACTS_STREAM, SluiceError } from '#contracts';
import type { ServiceContext } from '#http';
import { observe } from '#observability';
import { createRedis } from '#queue';
import type { Redis } from '../resources.js';
import { CONTEXT } from '../tokens.js';
import { Feeds } from './feeds.js';

/** Milliseconds that one read waits; also how often a quiet stream is checked for a fresh start. */
const BLOCK_MS = 5000;
/** A connection that does not even answer an empty read is dead, whatever TCP says. */
const SILENCE_MS = BLOCK_MS * 2;
const BATCH = 500;
const BEGINNING = '0-0';

type Entries = [id: string, fields: string[]][];

/**
 * Reads the stream of facts from its end on and hands what it reads to the feeds. It goes on from the last
 * id it saw, however long Redis was away; a stream that was emptied and began anew is read from its
 * beginning; what the stream lost meanwhile comes from rows (catch-up.ts).
 */
@Injectable()
export class FactTail implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly redis: Redis;
  private position: string | null = null;
  private stopped = false;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(Feeds) private readonly feeds: Feeds,
  ) {
    this.redis = createRedis(context.environment.REDIS_URL, 'blocking', 'gateway-facts');
  }

  onApplicationBootstrap(): void {
    void this.read();
  }

  onModuleDestroy(): void {
    this.stopped = true;
    this.redis.disconnect();
  }

  assertReading(): void {
    if (this.redis.status !== 'ready' || this.position === null) {
      throw new SluiceError('unavailable', 'The facts can not be read; check that Redis is reachable.');
    }
  }

  private async read(): Promise<void> {
    while (!this.stopped) {
      try {
        this.position ??= (await this.lastId()) ?? BEGINNING;
        const entries = await this.next(this.position);
        if (entries === null) this.position = await this.rewound(this.position);
        this.position = entries?.at(-1)?.[0] ?? this.position;
        this.feeds.take((entries ?? []).map(([, fields]) => fields));
      } catch (error) {
        if (this.stopped) return;
        this.context.logger.warn({ err: error }, 'the facts could not be read; trying again');
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
  }

  private async next(after: string): Promise<Entries | null> {
    const watchdog = setTimeout(() => this.redis.disconnect(true), SILENCE_MS);
    try {
      const answer = await this.redis.xread(
        'COUNT',
        BATCH,
        'BLOCK',
        BLOCK_MS,
        'STREAMS',
        FACTS_STREAM,
        after,
      );
      const entries = answer?.[0]?.[1] ?? null;
      const newest = Number(entries?.at(-1)?.[0].split('-')[0]);
      // Ids are Redis's clock; where it is ahead of ours nothing is late.
      if (newest > 0) observe('sluice_event_lag_seconds', Math.max(0, Date.now() - newest) / 1000);
      return entries;
    } finally {
      clearTimeout(watchdog);
    }
  }

  private async lastId(): Promise<string | null> {
    const newest = await this.redis.xrevrange(FACTS_STREAM, '+', '-', 'COUNT', 1);
    return newest[0]?.[0] ?? null;
  }

  /** Ids are times: a stream that ends before our position is another one, begun by a clock that lags. */
  private async rewound(position: string): Promise<string> {
    const last = await this.lastId();
    return last !== null && isBefore(last, position) ? BEGINNING : position;
  }
}

export function isBefore(a: string, b: string): boolean {
  const [aTime = 0, aCount = 0] = a.split('-').map(Number);
  const [bTime = 0, bCount = 0] = b.split('-').map(Number);
  return aTime < bTime || (aTime === bTime && aCount < bCount);
}
