import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import type { ServiceContext } from '#http';
import type { Resources } from '../resources.js';
import { CONTEXT, RESOURCES } from '../tokens.js';

/** A Redis that holds connections and answers nothing must not hold requests. */
const PATIENCE_MS = 2000;

/** Says what has been committed. Rows are the record: where Redis is away reconcilers do it later. */
@Injectable()
export class Teller {
  constructor(
    @Inject(RESOURCES) private readonly resources: Resources,
    @Inject(CONTEXT) private readonly context: ServiceContext,
  ) {}

  async tell(work: (resources: Resources) => Promise<void>): Promise<void> {
    const done = new AbortController();
    const patience = sleep(PATIENCE_MS, undefined, { signal: done.signal }).catch(() => undefined);
    const said = work(this.resources).catch((error: unknown) =>
      this.context.logger.warn({ err: error }, 'not queued; the reconciler will'),
    );
    await Promise.race([said, patience]);
    done.abort();
  }
}
