import { Injectable } from '@nestjs/common';
import { reachValues, sessionWithin } from '#access';
import { type ErrorCode, type Reach, type SessionStatus, SluiceError } from '#contracts';
import type { EntityManager } from '#persistence';
import { DIGEST_OWNER } from '../digest/leases.js';
import { type AnySessionRow, SESSION_COLUMNS, type SessionRow, WHOLE_FILE } from './session-row.js';

export interface NewSession {
  id: string;
  tenantId: string;
  jobId: string | null;
  assetId: string | null;
  filename: string;
  contentType: string | null;
  fileSize: number | null;
  fileHash: string | null;
  totalChunks: number | null;
  userId: string | null;
  userName: string | null;
  profile: string;
  options: Record<string, unknown>;
  priority: number;
  lifetimeSeconds: number;
  batchId: string | null;
}

/** What adopting one chunk changes; null leaves the column as it is. */
export interface Adopted {
  bytes: number;
  chunkSize: number | null;
  totalChunks: number | null;
  fileSize: number | null;
  /** The digest's lease, which a process that adopts takes when it is free (digest/leases.ts). */
  digestLeaseSeconds: number;
}

/** Rows of `upload_sessions`. Whoever changes one holds its lock (docs/model.md, Session). */
@Injectable()
export class SessionsRepository {
  async insert(manager: EntityManager, session: NewSession): Promise<SessionRow> {
    const rows = (await manager.query(
      `INSERT INTO upload_sessions (id, tenant_id, job_id, asset_id, filename, content_type, file_size, file_hash,
         total_chunks, user_id, user_name, profile, options, priority, expires_at, batch_id)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, now() + make_interval(secs => $15), $16)
       RETURNING ${SESSION_COLUMNS}`,
      [
        session.id,
        session.tenantId,
        session.jobId,
        session.assetId,
        session.filename,
        session.contentType,
        session.fileSize,
        session.fileHash,
        session.totalChunks,
        session.userId,
        session.userName,
        session.profile,
        JSON.stringify(session.options),
        session.priority,
        session.lifetimeSeconds,
        session.batchId,
      ],
    )) as SessionRow[];
    return rows[0]!;
  }

  /** Throws `session_not_found`, also for one beyond the reach. */
  async find(manager: EntityManager, id: string, reach: Reach): Promise<SessionRow> {
    return one(
      await manager.query(
        `SELECT ${SESSION_COLUMNS} FROM upload_sessions s WHERE id = $1 AND ${WHOLE_FILE} AND ${sessionWithin('s', 2)}`,
        [id, ...reachValues(reach)],
      ),
    );
  }

  /** `FOR UPDATE`, of one that was found within somebody's reach, or that nobody asked for. */
  async lock(manager: EntityManager, id: string): Promise<SessionRow> {
    return one(
      await manager.query(
        `SELECT ${SESSION_COLUMNS} FROM upload_sessions WHERE id = $1 AND ${WHOLE_FILE} FOR UPDATE`,
        [id],
      ),
    );
  }

  async adopt<S extends AnySessionRow>(manager: EntityManager, { id }: S, adopted: Adopted): Promise<S> {
    return this.update(
      manager,
      `chunks_received = chunks_received + 1, bytes_received = bytes_received + $2,
       chunk_size = COALESCE($3, chunk_size), total_chunks = COALESCE($4, total_chunks),
       file_size = COALESCE($5, file_size),
       digest_owner = CASE WHEN digest_until > now() THEN digest_owner ELSE $6 END,
       digest_until = CASE WHEN digest_until > now() AND digest_owner <> $6 THEN digest_until
         ELSE now() + make_interval(secs => $7) END`,
      [
        id,
        adopted.bytes,
        adopted.chunkSize,
        adopted.totalChunks,
        adopted.fileSize,
        DIGEST_OWNER,
        adopted.digestLeaseSeconds,
      ],
    );
  }

  /** For a file whose size, options or hash are known only when all of it has been read. */
  async describe(
    manager: EntityManager,
    id: string,
    late: {
      fileSize: number;
      fileHash: string | null;
      options: Record<string, unknown>;
      priority: number;
      batchId: string | null;
    },
  ): Promise<SessionRow> {
    return this.update(
      manager,
      'file_size = $2, file_hash = $3, options = $4, priority = $5, batch_id = $6',
      [id, late.fileSize, late.fileHash, JSON.stringify(late.options), late.priority, late.batchId],
    );
  }

  async complete(manager: EntityManager, id: string, sha256: string): Promise<SessionRow> {
    return this.update(
      manager,
      `status = 'completed', completed_at = now(), total_chunks = COALESCE(total_chunks, chunks_received),
       sha256 = $2, digest_owner = NULL, digest_until = NULL`,
      [id, sha256],
    );
  }

  /** A known file: nothing is sent, everything is there. */
  async completeAsDuplicate(manager: EntityManager, id: string): Promise<SessionRow> {
    return this.update(
      manager,
      `status = 'completed', completed_at = now(), sha256 = file_hash, bytes_received = COALESCE(file_size, 0)`,
      [id],
    );
  }

  async end(
    manager: EntityManager,
    id: string,
    end: { status: SessionStatus; code: ErrorCode; message: string },
  ): Promise<SessionRow> {
    return this.update(manager, 'status = $2, error_code = $3, error_message = $4', [
      id,
      end.status,
      end.code,
      end.message,
    ]);
  }

  /** Its chunks are gone: every byte is to be sent again. */
  async reset(manager: EntityManager, id: string): Promise<void> {
    await this.update(manager, 'chunks_received = 0, bytes_received = 0', [id]);
  }

  /** One overdue session under its lock; those that another process works on are skipped. */
  async lockOverdue(manager: EntityManager): Promise<SessionRow | null> {
    const rows = (await manager.query(
      `SELECT ${SESSION_COLUMNS} FROM upload_sessions WHERE status = 'active' AND expires_at <= now()
         AND ${WHOLE_FILE} ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED`,
    )) as SessionRow[];
    return rows[0] ?? null;
  }

  /** Sessions whose last byte came and whose process died before it could complete them. */
  async forgotten(manager: EntityManager): Promise<string[]> {
    return ids(
      await manager.query(
        `SELECT id FROM upload_sessions WHERE status = 'active' AND expires_at > now() AND bytes_received = file_size
           AND ${WHOLE_FILE} AND updated_at < now() - interval '1 minute' LIMIT 100`,
      ),
    );
  }

  private async update<S extends AnySessionRow = SessionRow>(
    manager: EntityManager,
    set: string,
    values: unknown[],
  ): Promise<S> {
    const [rows] = (await manager.query(
      `UPDATE upload_sessions SET ${set}, updated_at = now() WHERE id = $1 RETURNING ${SESSION_COLUMNS}`,
      values,
    )) as [S[], number];
    return rows[0]!;
  }
}

function one(rows: SessionRow[]): SessionRow {
  const session = rows[0];
  if (session) return session;
  throw new SluiceError(
    'session_not_found',
    'There is no upload session with this id; create one and send the file there.',
  );
}

const ids = (rows: unknown) => (rows as { id: string }[]).map((row) => row.id);
