import { type DynamicModule, Module, type Provider } from '@nestjs/common';
import { FactPublisher } from '#events';
import type { ServiceContext } from '#http';
import { storeWatch } from '#observability';
import { DataSource, openDataSource } from '#persistence';
import { QueueProducer } from '#queue';
import { type ObjectStore, openStore, storageEnvironment } from '#storage';
import { releaseSpans } from '#work';
import { Announcer } from './announcer.js';
import { BatchService } from './batch/batch.service.js';
import { BatchesController } from './batch/batches.controller.js';
import { BatchesRepository } from './batch/batches.repository.js';
import { AdoptionService } from './chunks/adoption.service.js';
import { Arrivals } from './chunks/arrivals.js';
import { ChunkService } from './chunks/chunk.service.js';
import { ChunkObjects } from './chunks/chunk-objects.js';
import { ChunksController } from './chunks/chunks.controller.js';
import { ChunksRepository } from './chunks/chunks.repository.js';
import { ProgressService } from './chunks/progress.service.js';
import { SourceReader } from './chunks/source-reader.js';
import { Connections } from './connections.js';
import { Consumers } from './consumers.js';
import { KnownController } from './dedup/known.controller.js';
import { SharedWork } from './dedup/shared-work.js';
import { DigestService } from './digest/digest.service.js';
import { DigestLeases } from './digest/leases.js';
import { DigestThreads } from './digest/threads.js';
import { Journal } from './journal.js';
import { IndexedChunks } from './multipart/indexed-chunks.js';
import { MultipartController } from './multipart/multipart.controller.js';
import { MultipartService } from './multipart/multipart.service.js';
import { WholeFiles } from './multipart/whole-files.js';
import { ProcessController } from './process/process.controller.js';
import { Retention } from './retention/retention.js';
import { Rows } from './rows.js';
import { ScanProcessor } from './scan/scan.processor.js';
import { ScanRows } from './scan/scan-rows.js';
import { CompletionService } from './sessions/completion.service.js';
import { CreationService } from './sessions/creation.service.js';
import { EndingService } from './sessions/ending.service.js';
import { JobsRepository } from './sessions/jobs.repository.js';
import { SessionViews } from './sessions/session-views.js';
import { SessionsController } from './sessions/sessions.controller.js';
import { SessionsRepository } from './sessions/sessions.repository.js';
import { CONTEXT, STORE, UploadSettings } from './settings.js';
import { SweepSchedule } from './sweep/sweep-schedule.js';
import { Sweeper } from './sweep/sweeper.js';
import { PartialsService } from './tus/partials.service.js';
import { tusProviders } from './tus/providers.js';

@Module({})
class UploadModule {}

export const uploadModule = (context: ServiceContext): DynamicModule => ({
  module: UploadModule,
  controllers: [
    SessionsController,
    KnownController,
    ChunksController,
    MultipartController,
    ProcessController,
    BatchesController,
  ],
  providers: [
    ...outside(context),
    ...withLogger(context),
    ...[Rows, SessionsRepository, ChunksRepository, JobsRepository, BatchesRepository],
    ...[CreationService, CompletionService, EndingService, SessionViews],
    ...[ChunkService, ChunkObjects, AdoptionService, SourceReader],
    SharedWork,
    ...[MultipartService, WholeFiles, IndexedChunks],
    BatchService,
    ...[ScanRows, ScanProcessor],
    ...[SweepSchedule, Consumers, Journal, Retention],
    ...tusProviders(context),
  ],
});

/** Postgres, Redis and the store. */
function outside(context: ServiceContext): Provider[] {
  const { name, environment, logger } = context;
  return [
    { provide: CONTEXT, useValue: context },
    { provide: UploadSettings, useValue: new UploadSettings(environment) },
    { provide: STORE, useFactory: () => openStore(environment, storeWatch(logger)) },
    {
      provide: DataSource,
      useFactory: () =>
        openDataSource({
          databaseUrl: environment.DATABASE_URL,
          poolSize: environment.DATABASE_POOL_SIZE,
          name,
        }),
    },
    {
      provide: QueueProducer,
      useFactory: () => new QueueProducer(environment.REDIS_URL, name),
    },
    {
      provide: Announcer,
      useFactory: (queues: QueueProducer, database: DataSource) =>
        new Announcer(
          queues,
          new FactPublisher(environment.REDIS_URL, name, database, (error) =>
            logger.warn({ err: error }, 'a fact was not published'),
          ),
          logger,
          environment.SCAN_MODE !== 'off',
          (jobId) => releaseSpans(database.manager, queues, jobId),
        ),
      inject: [QueueProducer, DataSource],
    },
    Connections,
  ];
}

function withLogger({ environment, logger }: ServiceContext): Provider[] {
  return [
    {
      provide: ProgressService,
      useFactory: (rows: Rows, announcer: Announcer) => new ProgressService(rows, announcer, logger),
      inject: [Rows, Announcer],
    },
    {
      provide: Arrivals,
      useFactory: (database: DataSource, queues: QueueProducer) =>
        new Arrivals(database, queues, environment, logger),
      inject: [DataSource, QueueProducer],
    },
    {
      provide: DigestService,
      useFactory: (source: SourceReader, database: DataSource, { leaseSeconds }: UploadSettings) =>
        new DigestService(
          source,
          new DigestLeases(database, leaseSeconds),
          new DigestThreads(storageEnvironment(environment)),
          logger,
        ),
      inject: [SourceReader, DataSource, UploadSettings],
    },
    {
      provide: Sweeper,
      useFactory: (
        rows: Rows,
        ending: EndingService,
        completion: CompletionService,
        partials: PartialsService,
        store: ObjectStore,
        queues: QueueProducer,
        retention: Retention,
      ) =>
        new Sweeper({
          ...{ rows, ending, completion, partials, store, queues, retention, logger },
          everyMs: environment.SWEEP_INTERVAL_SECONDS * 1000,
        }),
      inject: [Rows, EndingService, CompletionService, PartialsService, STORE, QueueProducer, Retention],
    },
  ];
}
