import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from '#persistence';
import { BatchesRepository } from './batch/batches.repository.js';
import { ChunksRepository } from './chunks/chunks.repository.js';
import { JobsRepository } from './sessions/jobs.repository.js';
import { SessionsRepository } from './sessions/sessions.repository.js';

/** The tables that uploads touch, and transactions over them. Lock order: batch, session, job, asset, span. */
@Injectable()
export class Rows {
  constructor(
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(SessionsRepository) readonly sessions: SessionsRepository,
    @Inject(ChunksRepository) readonly chunks: ChunksRepository,
    @Inject(JobsRepository) readonly jobs: JobsRepository,
    @Inject(BatchesRepository) readonly batches: BatchesRepository,
  ) {}

  /** For a single statement. */
  get manager(): EntityManager {
    return this.database.manager;
  }

  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}
