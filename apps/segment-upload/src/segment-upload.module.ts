import { type DynamicModule, Inject, Module, type OnApplicationShutdown } from '@nestjs/common';
import type { ServiceContext } from '#http';
import { CleanupProcessor } from './cleanup/cleanup.processor.js';
import { CleanupRows } from './cleanup/cleanup-rows.js';
import { Consumers } from './consumers.js';
import { FinishingRows } from './finishing/finishing-rows.js';
import { JobEnding } from './packaging/job-ending.js';
import { ManifestWriter } from './packaging/manifest-writer.js';
import { PackageProcessor } from './packaging/package.processor.js';
import { PackageRows } from './packaging/package-rows.js';
import { RubbishSweeper } from './packaging/rubbish-sweeper.js';
import { ProgressFacts } from './progress/progress-facts.js';
import { Reconciler } from './reconcile/reconciler.js';
import { closeResources, type Resources } from './resources.js';
import { SegmentProcessor } from './segments/segment.processor.js';
import { SegmentRecorder } from './segments/segment-recorder.js';
import { SegmentRows } from './segments/segment-rows.js';
import { SegmentTransfer } from './segments/segment-transfer.js';
import { WorkerClient } from './segments/worker-client.js';
import { CONTEXT, DATABASE, RESOURCES, STORE } from './tokens.js';

@Module({})
export class SegmentUploadModule implements OnApplicationShutdown {
  constructor(@Inject(RESOURCES) private readonly resources: Resources) {}

  static with(context: ServiceContext, resources: Resources): DynamicModule {
    return {
      module: SegmentUploadModule,
      providers: [
        { provide: CONTEXT, useValue: context },
        { provide: RESOURCES, useValue: resources },
        { provide: DATABASE, useValue: resources.database },
        { provide: STORE, useValue: resources.store },
        ProgressFacts,
        WorkerClient,
        SegmentTransfer,
        SegmentRows,
        SegmentRecorder,
        SegmentProcessor,
        PackageRows,
        ManifestWriter,
        RubbishSweeper,
        FinishingRows,
        JobEnding,
        PackageProcessor,
        CleanupRows,
        CleanupProcessor,
        Reconciler,
        Consumers,
      ],
    };
  }

  /** After the consumers have ended (Consumers.beforeApplicationShutdown). */
  async onApplicationShutdown(): Promise<void> {
    await closeResources(this.resources);
  }
}
