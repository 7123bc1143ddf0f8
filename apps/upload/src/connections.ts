import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { DataSource } from '#persistence';
import type { ObjectStore } from '#storage';
import { Announcer } from './announcer.js';
import { STORE } from './settings.js';

/** What an upload cannot do without is asked here; all of it is closed after the last request. */
@Injectable()
export class Connections implements OnApplicationShutdown {
  constructor(
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  /** Redis is not among them: rows and bytes are taken while it is away, and the reconciler catches up. */
  async check(): Promise<void> {
    await Promise.all([this.database.query('SELECT 1'), this.store.check()]);
  }

  async onApplicationShutdown(): Promise<void> {
    await this.announcer.close();
    await this.database.destroy();
  }
}
