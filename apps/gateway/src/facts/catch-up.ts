import { Inject, Injectable, type OnApplicationBootstrap, type OnModuleDestroy } from '@nestjs/common';
import type { ServiceContext } from '#http';
import { CONTEXT } from '../tokens.js';
import { Feeds } from './feeds.js';

const INTERVAL_MS = 2000;

/**
 * The stream is for speed and may lose facts (a publisher died between commit and publish, Redis was
 * away or emptied). A gap is seen by the fact that comes after it; for what nothing comes after, the feeds
 * that are followed here are compared with the rows.
 */
@Injectable()
export class CatchUp implements OnApplicationBootstrap, OnModuleDestroy {
  private timer: NodeJS.Timeout | undefined;
  private running = false;

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(Feeds) private readonly feeds: Feeds,
  ) {}

  onApplicationBootstrap(): void {
    this.timer = setInterval(() => void this.compare(), INTERVAL_MS);
  }

  onModuleDestroy(): void {
    clearInterval(this.timer);
  }

  private async compare(): Promise<void> {
    if (this.running) return;
    this.running = true;
    try {
      await this.feeds.compare();
    } catch (error) {
      this.context.logger.warn({ err: error }, 'rows could not be compared with the facts; trying again');
    } finally {
      this.running = false;
    }
  }
}
