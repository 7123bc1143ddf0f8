import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import { ApiKeys, PlaybackSigner } from '#access';
import type { Authenticate, ServiceContext } from '#http';
import { CatchUp } from './facts/catch-up.js';
import { FactRows } from './facts/fact-rows.js';
import { FactTail } from './facts/fact-tail.js';
import { Feeds } from './facts/feeds.js';
import { Following } from './facts/following.js';
import { Cancelling } from './jobs/cancelling.js';
import { JobReader } from './jobs/job-reader.js';
import { JobsController } from './jobs/jobs.controller.js';
import { Priority } from './jobs/priority.js';
import { Purging } from './jobs/purging.js';
import { Retrying } from './jobs/retrying.js';
import { Starts } from './jobs/starts.js';
import { Teller } from './jobs/teller.js';
import { KeysController } from './keys/keys.controller.js';
import { UploadTokensController } from './keys/upload-tokens.controller.js';
import { EarlyPlaylists } from './media/early-playlists.js';
import { EarlyRows } from './media/early-rows.js';
import { MediaController } from './media/media.controller.js';
import { MediaRights } from './media/media-rights.js';
import { Quarantine } from './media/quarantine.js';
import { PageController } from './page/page.controller.js';
import { Poison } from './poison/poison.js';
import { QuarantineController } from './poison/quarantine.controller.js';
import { closeResources, type Resources } from './resources.js';
import { ProgressGateway } from './sockets/progress.gateway.js';
import { Subscriber } from './sockets/subscriber.js';
import { StreamsController } from './streams/streams.controller.js';
import { Streams } from './streams/streams.js';
import { TenantsController } from './tenants/tenants.controller.js';
import { API_KEYS, AUTHENTICATE, CONTEXT, DATABASE, RESOURCES, SIGNER, STORE } from './tokens.js';
import { Deliverer } from './webhooks/deliverer.js';
import { DeliveriesController } from './webhooks/deliveries.controller.js';
import { DeliveryRows } from './webhooks/delivery-rows.js';
import { EndpointRows } from './webhooks/endpoint-rows.js';
import { WebhookQueue } from './webhooks/webhook-queue.js';
import { WebhooksController } from './webhooks/webhooks.controller.js';
import { WorkRows } from './webhooks/work-rows.js';

@Module({})
export class GatewayModule implements OnApplicationShutdown {
  constructor(@Inject(RESOURCES) private readonly resources: Resources) {}

  static with(context: ServiceContext, resources: Resources, authenticate: Authenticate): DynamicModule {
    const sockets = context.environment.WEBSOCKET_ENABLED === 'true' ? [ProgressGateway, Subscriber] : [];
    return {
      module: GatewayModule,
      controllers: [
        ...[StreamsController, JobsController, QuarantineController, MediaController],
        ...[PageController, TenantsController, WebhooksController, DeliveriesController],
        ...[KeysController, UploadTokensController],
      ],
      providers: [
        { provide: CONTEXT, useValue: context },
        { provide: RESOURCES, useValue: resources },
        { provide: DATABASE, useValue: resources.database },
        { provide: STORE, useValue: resources.store },
        { provide: API_KEYS, useValue: new ApiKeys(resources.database) },
        { provide: SIGNER, useValue: new PlaybackSigner(context.environment) },
        { provide: AUTHENTICATE, useValue: authenticate },
        FactRows,
        Feeds,
        Following,
        Streams,
        FactTail,
        CatchUp,
        JobReader,
        Starts,
        Teller,
        ...[Cancelling, Purging, Retrying, Priority, Poison],
        EarlyRows,
        EarlyPlaylists,
        Quarantine,
        MediaRights,
        EndpointRows,
        DeliveryRows,
        WorkRows,
        Deliverer,
        WebhookQueue,
        ...sockets,
      ],
    };
  }

  /** After the last request has been answered. */
  async onApplicationShutdown(): Promise<void> {
    await closeResources(this.resources);
  }
}
