import { Injectable } from '@nestjs/common';
import {
  type ErrorCode,
  type JobStatus,
  MAX_SESSIONS_PER_BATCH,
  type SessionStatus,
  SluiceError,
} from '#contracts';
import type { EntityManager } from '#persistence';

export interface BatchRow {
  id: string;
  name: string | null;
  cancelled: boolean;
  createdAt: Date;
}

export interface BatchSessionRow {
  id: string;
  jobId: string | null;
  filename: string;
  fileSize: number | null;
  bytesReceived: number;
  status: SessionStatus;
  overdue: boolean;
  jobStatus: JobStatus | null;
  jobProgress: number | null;
  errorCode: ErrorCode | null;
  errorMessage: string | null;
}

const COLUMNS = `id, name, cancelled_at IS NOT NULL AS cancelled, created_at AS "createdAt"`;

const OF_TENANT = '(tenant_id = $2 OR $2::text IS NULL)';

/** Rows of `upload_batches`. Its lock comes before that of any session. */
@Injectable()
export class BatchesRepository {
  async insert(
    manager: EntityManager,
    batch: { id: string; tenantId: string; name: string | null },
  ): Promise<void> {
    await manager.query('INSERT INTO upload_batches (id, tenant_id, name) VALUES ($1, $2, $3)', [
      batch.id,
      batch.tenantId,
      batch.name,
    ]);
  }

  /** Throws `batch_not_found`, also for one of another tenant (null: anybody's). */
  async find(manager: EntityManager, id: string, tenantId: string | null): Promise<BatchRow> {
    return found(
      await manager.query(`SELECT ${COLUMNS} FROM upload_batches WHERE id = $1 AND ${OF_TENANT}`, [
        id,
        tenantId,
      ]),
    );
  }

  /** Locks the batch for a session that is about to belong to it; throws `batch_not_found`, `batch_closed`. */
  async join(manager: EntityManager, id: string, tenantId: string): Promise<void> {
    const batch = found(
      await manager.query(`SELECT ${COLUMNS} FROM upload_batches WHERE id = $1 AND ${OF_TENANT} FOR UPDATE`, [
        id,
        tenantId,
      ]),
    );
    if (batch.cancelled)
      throw new SluiceError(
        'batch_closed',
        'This batch was cancelled and takes no more files; open another one.',
      );
    const [{ sessions }] = (await manager.query(
      'SELECT count(*) AS sessions FROM upload_sessions WHERE batch_id = $1',
      [id],
    )) as [{ sessions: number }];
    if (sessions >= MAX_SESSIONS_PER_BATCH) {
      throw new SluiceError(
        'batch_closed',
        `A batch has room for ${MAX_SESSIONS_PER_BATCH} files; open another one for the rest.`,
      );
    }
  }

  /** From now on no session joins. Throws `batch_not_found`. */
  async close(manager: EntityManager, id: string, tenantId: string | null): Promise<void> {
    const [rows] = (await manager.query(
      `UPDATE upload_batches SET cancelled_at = COALESCE(cancelled_at, now()), updated_at = now()
       WHERE id = $1 AND ${OF_TENANT} RETURNING ${COLUMNS}`,
      [id, tenantId],
    )) as [BatchRow[], number];
    found(rows);
  }

  async sessions(manager: EntityManager, id: string): Promise<BatchSessionRow[]> {
    return manager.query(
      `SELECT s.id, s.job_id AS "jobId", s.filename, s.file_size AS "fileSize", s.bytes_received AS "bytesReceived",
         s.status, s.status = 'active' AND s.expires_at <= now() AS overdue,
         j.status AS "jobStatus", j.progress AS "jobProgress",
         COALESCE(s.error_code, j.error_code) AS "errorCode", COALESCE(s.error_message, j.error_message) AS "errorMessage"
       FROM upload_sessions s LEFT JOIN jobs j ON j.id = s.job_id
       WHERE s.batch_id = $1 ORDER BY s.created_at, s.id LIMIT ${MAX_SESSIONS_PER_BATCH}`,
      [id],
    );
  }

  /** Sessions of cancelled batches that are still open: who cancelled died before it came to them. */
  async leftOpen(manager: EntityManager): Promise<string[]> {
    const rows = (await manager.query(
      `SELECT s.id FROM upload_batches b JOIN upload_sessions s ON s.batch_id = b.id LEFT JOIN jobs j ON j.id = s.job_id
       WHERE b.cancelled_at > now() - interval '2 days'
         AND (s.status = 'active' OR (s.status = 'completed' AND j.status IN ('pending', 'processing'))) LIMIT 100`,
    )) as { id: string }[];
    return rows.map((row) => row.id);
  }
}

function found(rows: BatchRow[]): BatchRow {
  const batch = rows[0];
  if (!batch)
    throw new SluiceError(
      'batch_not_found',
      'There is no batch with this id; create one, or leave batch_id out.',
    );
  return batch;
}
