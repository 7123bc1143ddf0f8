import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { ServiceContext } from '#http';
import { CatchUp } from './facts/catch-up.js';
import { FactTail } from './facts/fact-tail.js';
import { Followers } from './facts/followers.js';
import { JobReader } from './jobs/job-reader.js';
import { JobsController } from './jobs/jobs.controller.js';
import { EarlyPlaylists } from './media/early-playlists.js';
import { EarlyRows } from './media/early-rows.js';
import { MediaController } from './media/media.controller.js';
import { Quarantine } from './media/quarantine.js';
import { PageController } from './page/page.controller.js';
import { closeResources, type Resources } from './resources.js';
import { ProgressGateway } from './sockets/progress.gateway.js';
import { Subscriber } from './sockets/subscriber.js';
import { CONTEXT, DATABASE, RESOURCES, STORE } from './tokens.js';

@Module({})
export class GatewayModule implements OnApplicationShutdown {
  constructor(@Inject(RESOURCES) private readonly resources: Resources) {}

  static with(context: ServiceContext, resources: Resources): DynamicModule {
    const sockets = context.environment.WEBSOCKET_ENABLED === 'true' ? [ProgressGateway, Subscriber] : [];
    return {
      module: GatewayModule,
      controllers: [JobsController, MediaController, PageController],
      providers: [
        { provide: CONTEXT, useValue: context },
        { provide: RESOURCES, useValue: resources },
        { provide: DATABASE, useValue: resources.database },
        { provide: STORE, useValue: resources.store },
        Followers,
        FactTail,
        CatchUp,
        JobReader,
        EarlyRows,
        EarlyPlaylists,
        Quarantine,
        ...sockets,
      ],
    };
  }

  /** After the last request has been answered. */
  async onApplicationShutdown(): Promise<void> {
    await closeResources(this.resources);
  }
}
