import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import {
  type BatchData,
  type BatchFile,
  type BatchFileResult,
  type CreateBatchData,
  type CreateBatchRequest,
  type Principal,
  SluiceError,
  writesOf,
} from '#contracts';
import { toSluiceError } from '#http';
import { Rows } from '../rows.js';
import { CreationService } from '../sessions/creation.service.js';
import { EndingService } from '../sessions/ending.service.js';
import { parseWish } from '../sessions/wish.js';
import { type BatchSessionRow } from './batches.repository.js';
import { combine, stateOf } from './combine.js';

/** Several files under one id, with one status for all (S3-12). */
@Injectable()
export class BatchService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(EndingService) private readonly ending: EndingService,
  ) {}

  /** A file that is refused does not keep the others from their sessions. */
  async create({ name, files }: CreateBatchRequest, by: Principal): Promise<CreateBatchData> {
    refuseTokens(by);
    const { tenantId } = by;
    const id = randomUUID();
    await this.rows.batches.insert(this.rows.manager, { id, tenantId, name: name ?? null });
    const results: BatchFileResult[] = [];
    for (const file of files ?? []) results.push(await this.open(id, file, by));
    return { batch_id: id, name: name ?? null, files: results };
  }

  /** Throws `batch_not_found`. */
  async look(id: string, by: Principal): Promise<BatchData> {
    refuseTokens(by);
    const batch = await this.rows.batches.find(this.rows.manager, id, writesOf(by).tenantId);
    const files = (await this.sessions(id)).map(toFile);
    return {
      batch_id: id,
      name: batch.name,
      cancelled: batch.cancelled,
      ...combine(files, batch.cancelled),
      created_at: batch.createdAt.toISOString(),
      files,
    };
  }

  /**
   * Ends what is being sent or converted; what has its result keeps it. The batch is closed first:
   * when we die on the way, the sweep goes on.
   */
  async cancel(id: string, by: Principal): Promise<BatchData> {
    refuseTokens(by);
    await this.rows.batches.close(this.rows.manager, id, writesOf(by).tenantId);
    for (const session of await this.rows.batches.sessions(this.rows.manager, id)) {
      if (['uploading', 'processing'].includes(stateOf(session.status, session.jobStatus)))
        await this.ending.cancelOpen(session.id);
    }
    return this.look(id, by);
  }

  private async open(batchId: string, file: unknown, by: Principal): Promise<BatchFileResult> {
    try {
      const opened = await this.creation.open({ ...parseWish(file), batchId }, by);
      return { session: this.creation.toData(opened), error: null };
    } catch (error) {
      const { code, message, status } = toSluiceError(error);
      if (status >= 500) throw error;
      return { session: null, error: { code, detail: message } };
    }
  }

  /** Looking at overdue sessions ends them. */
  private async sessions(id: string): Promise<BatchSessionRow[]> {
    const rows = await this.rows.batches.sessions(this.rows.manager, id);
    const overdue = rows.filter((session) => session.overdue);
    for (const session of overdue) await this.ending.expire(session.id);
    return overdue.length === 0 ? rows : this.rows.batches.sessions(this.rows.manager, id);
  }
}

/** A token is for one file, and a batch shows those of others. */
function refuseTokens({ kind }: Principal): void {
  if (kind === 'token')
    throw new SluiceError('upload_not_allowed', 'Batches are not for upload tokens; use an API key.');
}

const toFile = (session: BatchSessionRow): BatchFile => ({
  session_id: session.id,
  job_id: session.jobId,
  filename: session.filename,
  size: session.fileSize,
  bytes_received: session.bytesReceived,
  state: stateOf(session.status, session.jobStatus),
  session_status: session.status,
  job_status: session.jobStatus,
  progress_percentage: session.jobProgress ?? 0,
  error_code: session.errorCode,
  error_message: session.errorMessage,
});
