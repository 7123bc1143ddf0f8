import { Inject, Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from '#persistence';
import { ChunksRepository } from './chunks/chunks.repository.js';
import { JobsRepository } from './sessions/jobs.repository.js';
import { SessionsRepository } from './sessions/sessions.repository.js';

/** The tables that uploads touch, and transactions over them. Lock order: session, job, asset, span. */
@Injectable()
export class Rows {
  constructor(
    @Inject(DataSource) private readonly database: DataSource,
    @Inject(SessionsRepository) readonly sessions: SessionsRepository,
    @Inject(ChunksRepository) readonly chunks: ChunksRepository,
    @Inject(JobsRepository) readonly jobs: JobsRepository,
  ) {}

  /** For a single statement. */
  get manager(): EntityManager {
    return this.database.manager;
  }

  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.database.transaction(work);
  }
}
