import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type DynamicModule, Module } from '@nestjs/common';
import { loadProfiles } from '#config';
import { FactPublisher } from '#events';
import type { ServiceContext } from '#http';
import { storeWatch } from '#observability';
import { type DataSource, openDataSource } from '#persistence';
import { QueueProducer } from '#queue';
import { openStore } from '#storage';
import { Company } from './company.js';
import { Encoders } from './encoders/encoders.js';
import { WorkerEncoders } from './encoders/worker-encoders.js';
import { EndedJobs } from './ended-jobs.js';
import { DownloadMaker } from './finishing/download-maker.js';
import { FinishingProcessor } from './finishing/finishing.processor.js';
import { FinishingRepository } from './finishing/finishing.repository.js';
import { FinishingTool } from './finishing/finishing-tool.js';
import { ImageMaker } from './finishing/image-maker.js';
import { QualityMeter } from './finishing/quality-meter.js';
import { StoredMedia } from './finishing/stored-media.js';
import { TaskRunner } from './finishing/task-runner.js';
import { GrowthRepository } from './indexing/growth.repository.js';
import { Indexer } from './indexing/indexer.js';
import { Places } from './planning/places.js';
import { Planner, PlanProcessor } from './planning/plan.processor.js';
import { PlanRepository } from './planning/plan.repository.js';
import { Reconciler } from './recovery/reconciler.js';
import { Resources, Runtime } from './runtime.js';
import { ScratchController } from './scratch/scratch.controller.js';
import { Scratch } from './scratch/scratch.js';
import { Streaming } from './scratch/streaming.js';
import { SourceServer } from './source/source-server.js';
import { Demand } from './spans/demand.js';
import { SpanProcessor } from './spans/span.processor.js';
import { SpanRepository } from './spans/span.repository.js';
import { SpanRunner } from './spans/span-runner.js';
import { DATA_SOURCE, ENVIRONMENT, LOGGER, PRODUCER, PROFILES, PUBLISHER, SCRATCH, STORE } from './tokens.js';
import { WorkerIdentity } from './worker-identity.js';
import { WorkerRegistry } from './worker-registry.js';

@Module({})
class TranscodeModule {}

export function transcodeModule({ environment, logger, name }: ServiceContext): DynamicModule {
  return {
    module: TranscodeModule,
    controllers: [ScratchController],
    providers: [
      { provide: ENVIRONMENT, useValue: environment },
      { provide: LOGGER, useValue: logger },
      { provide: PROFILES, useValue: loadProfiles(environment) },
      { provide: STORE, useFactory: () => openStore(environment, storeWatch(logger)) },
      { provide: PRODUCER, useFactory: () => new QueueProducer(environment.REDIS_URL, name) },
      {
        provide: PUBLISHER,
        useFactory: (database: DataSource) =>
          new FactPublisher(environment.REDIS_URL, name, database, (error) =>
            logger.warn({ err: error }, 'a fact was not published'),
          ),
        inject: [DATA_SOURCE],
      },
      {
        provide: DATA_SOURCE,
        useFactory: () =>
          openDataSource({
            databaseUrl: environment.DATABASE_URL,
            poolSize: environment.DATABASE_POOL_SIZE,
            name,
          }),
      },
      {
        provide: SCRATCH,
        useFactory: (producer: QueueProducer) =>
          new Scratch(
            join(environment.SCRATCH_DIR, `${process.pid}-${randomUUID()}`),
            environment.HANDOVER_WINDOW,
            producer,
            logger,
          ),
        inject: [PRODUCER],
      },
      { provide: WorkerIdentity, useValue: new WorkerIdentity() },
      ...[Encoders, WorkerEncoders],
      SourceServer,
      SpanRepository,
      Streaming,
      Demand,
      SpanRunner,
      GrowthRepository,
      Indexer,
      Company,
      SpanProcessor,
      Places,
      EndedJobs,
      StoredMedia,
      FinishingTool,
      ImageMaker,
      QualityMeter,
      DownloadMaker,
      TaskRunner,
      FinishingRepository,
      FinishingProcessor,
      PlanRepository,
      Planner,
      PlanProcessor,
      Reconciler,
      WorkerRegistry,
      Resources,
      Runtime,
    ],
  };
}
