import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import { EVENT_TYPES, type EventType, FACTS_STREAM, type Fact, SluiceError } from '#contracts';
import type { ServiceContext } from '#http';
import { createRedis } from '#queue';
import type { Redis } from '../resources.js';
import { CONTEXT } from '../tokens.js';
import { Followers } from './followers.js';

/** Milliseconds that one read waits; also how often a quiet stream is checked for a fresh start. */
const BLOCK_MS = 5000;
/** A connection that does not even answer an empty read is dead, whatever TCP says. */
const SILENCE_MS = BLOCK_MS * 2;
const BATCH = 500;
const BEGINNING = '0-0';

type Entries = [id: string, fields: string[]][];

/**
 * Reads the stream of facts from its end on and hands each to the followers. It goes on from the last
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
    @Inject(Followers) private readonly followers: Followers,
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
        for (const [id, fields] of entries ?? []) {
          this.position = id;
          this.hand(fields);
        }
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
      return answer?.[0]?.[1] ?? null;
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

  private hand(fields: string[]): void {
    const fact = parseFact(fields);
    if (fact) this.followers.dispatch(fact);
    else
      this.context.logger.warn({ fields: fields[0] }, 'an entry of the stream is not a fact; it is skipped');
  }
}

/** The fact of a stream entry, without its tenant; null when it is not one. */
export function parseFact(fields: string[]): Fact | null {
  const at = fields.indexOf('fact');
  try {
    const { fact } = JSON.parse(fields[at + 1] ?? '') as { fact?: Partial<Fact> };
    const sound =
      typeof fact?.job_id === 'string' &&
      typeof fact.seq === 'number' &&
      EVENT_TYPES.includes(fact.event_type as EventType);
    return sound ? ({ ...fact, session_id: fact.session_id ?? null } as Fact) : null;
  } catch {
    return null;
  }
}

export function isBefore(a: string, b: string): boolean {
  const [aTime = 0, aCount = 0] = a.split('-').map(Number);
  const [bTime = 0, bCount = 0] = b.split('-').map(Number);
  return aTime < bTime || (aTime === bTime && aCount < bCount);
}
