import { Inject, Injectable } from '@nestjs/common';
import { reachValues, sessionWithin } from '#access';
import type { Reach } from '#contracts';
import type { EntityManager } from '#persistence';
import { ChunksRepository } from '../chunks/chunks.repository.js';
import { type AnySessionRow, SESSION_COLUMNS } from '../sessions/session-row.js';
import { uploadNotFound } from './refusals.js';

/** A session that was opened at the tus door. */
export interface UploadRow extends AnySessionRow {
  /** Somebody writes, or died while writing. */
  writing: boolean;
  /** `Upload-Metadata` and `Upload-Concat` as the client sent them; empty and null without. */
  metadata: string;
  concat: string | null;
  finalId: string | null;
  /** Where its last confirmed byte ends; null without any. */
  end: number | null;
}

export interface PartialRow {
  id: string;
  tenantId: string;
  size: number | null;
  lifetimeSeconds: number;
}

const END = `(SELECT byte_offset + size FROM upload_chunks WHERE session_id = upload_sessions.id
  ORDER BY byte_offset DESC LIMIT 1)`;
const COLUMNS = `${SESSION_COLUMNS}, writing, tus_metadata AS metadata, tus_concat AS concat, final_id AS "finalId", ${END} AS "end"`;

const WITHIN = sessionWithin('upload_sessions', 2);
const PARTIALS = `id = ANY($1) AND tus_concat = 'partial' AND ${WITHIN}`;

export const isPartial = (upload: Pick<UploadRow, 'concat'>) => upload.concat === 'partial';
export const isFinalUpload = (upload: Pick<UploadRow, 'concat'>) =>
  upload.concat?.startsWith('final;') ?? false;

/** Rows of `upload_sessions` as the tus door reads and writes them, partial uploads among them. */
@Injectable()
export class UploadsRepository {
  constructor(@Inject(ChunksRepository) private readonly chunks: ChunksRepository) {}

  /** Throws `session_not_found`, also for sessions of other doors and beyond the reach. */
  async find(manager: EntityManager, id: string, reach: Reach): Promise<UploadRow> {
    return this.one(await this.read(manager, `id = $1 AND ${WITHIN}`, [id, ...reachValues(reach)]));
  }

  async lock(manager: EntityManager, id: string): Promise<UploadRow> {
    return this.one(await this.read(manager, 'id = $1', [id], 'FOR UPDATE'));
  }

  /** Partial uploads in the order of their ids, so that two who want some of the same wait for each other. */
  async lockPartials(manager: EntityManager, ids: string[], reach: Reach): Promise<UploadRow[]> {
    return this.read(manager, PARTIALS, [ids, ...reachValues(reach)], 'ORDER BY id FOR UPDATE');
  }

  async partials(manager: EntityManager, ids: string[], reach: Reach): Promise<UploadRow[]> {
    return this.read(manager, PARTIALS, [ids, ...reachValues(reach)]);
  }

  /** One overdue partial upload under its lock; those that another process works on are skipped. */
  async lockOverduePartial(manager: EntityManager): Promise<UploadRow | null> {
    const where = `tus_concat = 'partial' AND status = 'active' AND expires_at <= now()`;
    const [row] = await this.read(manager, where, [], 'ORDER BY expires_at LIMIT 1 FOR UPDATE SKIP LOCKED');
    return row ?? null;
  }

  /** What the client said, on the row that was just made. */
  async describe(
    manager: EntityManager,
    id: string,
    said: { metadata: string; concat: string | null },
  ): Promise<void> {
    await manager.query('UPDATE upload_sessions SET tus_metadata = $2, tus_concat = $3 WHERE id = $1', [
      id,
      said.metadata,
      said.concat,
    ]);
  }

  async insertPartial(manager: EntityManager, partial: PartialRow): Promise<UploadRow> {
    return this.one(
      await manager.query(
        `INSERT INTO upload_sessions (id, tenant_id, filename, file_size, tus_metadata, tus_concat, expires_at)
         VALUES ($1, $2, 'partial', $3, '', 'partial', now() + make_interval(secs => $4)) RETURNING ${COLUMNS}`,
        [partial.id, partial.tenantId, partial.size, partial.lifetimeSeconds],
      ),
    );
  }

  /** The next fencing number for a writer; null when somebody else has begun to write since `seen`. */
  async take(manager: EntityManager, id: string, seen: number): Promise<UploadRow | null> {
    const [rows] = (await manager.query(
      `UPDATE upload_sessions SET writer = writer + 1, writing = true, updated_at = now()
       WHERE id = $1 AND (writer = $2 OR NOT writing) RETURNING ${COLUMNS}`,
      [id, seen],
    )) as [UploadRow[], number];
    return rows[0] ?? null;
  }

  /** Fences the writer off, without becoming one. */
  async fence(manager: EntityManager, id: string, seen: number): Promise<void> {
    await manager.query(
      `UPDATE upload_sessions SET writer = writer + 1, writing = false, updated_at = now()
       WHERE id = $1 AND writer = $2`,
      [id, seen],
    );
  }

  async release(manager: EntityManager, id: string, writer: number): Promise<void> {
    await manager.query('UPDATE upload_sessions SET writing = false WHERE id = $1 AND writer = $2', [
      id,
      writer,
    ]);
  }

  /** Tells every process that somebody else wants to write. */
  async ask(manager: EntityManager, channel: string, message: string): Promise<void> {
    await manager.query('SELECT pg_notify($1, $2)', [channel, message]);
  }

  async setLength(manager: EntityManager, id: string, length: number): Promise<void> {
    await manager.query('UPDATE upload_sessions SET file_size = $2, updated_at = now() WHERE id = $1', [
      id,
      length,
    ]);
  }

  /** The end of an upload that has no job. */
  async endPartial(manager: EntityManager, id: string, status: 'cancelled' | 'expired'): Promise<void> {
    await manager.query('UPDATE upload_sessions SET status = $2, updated_at = now() WHERE id = $1', [
      id,
      status,
    ]);
  }

  /** The chunks of partial uploads become those of a final one, one after the other; nothing is copied. */
  async concatenate(
    manager: EntityManager,
    finalId: string,
    partials: { id: string; from: number }[],
  ): Promise<void> {
    const values = [finalId, partials.map(({ id }) => id), partials.map(({ from }) => from)];
    await manager.query(
      `UPDATE upload_chunks c SET session_id = $1, byte_offset = c.byte_offset + p.start
       FROM unnest($2::uuid[], $3::bigint[]) AS p (id, start) WHERE c.session_id = p.id`,
      values,
    );
    await manager.query(
      `UPDATE upload_sessions SET updated_at = now(), bytes_received = file_size,
         chunks_received = (SELECT count(*) FROM upload_chunks WHERE session_id = $1)
       WHERE id = $1`,
      [finalId],
    );
    await this.consume(manager, finalId, values[1] as string[]);
  }

  /** Partial uploads that are part of a final one now; nothing of them is left to expire. */
  async consume(manager: EntityManager, finalId: string, ids: string[]): Promise<void> {
    await manager.query(
      `UPDATE upload_sessions SET status = 'completed', completed_at = now(), updated_at = now(), final_id = $1
       WHERE id = ANY($2)`,
      [finalId, ids],
    );
  }

  /** `Upload-Offset`: the end of what is confirmed from the start without a gap. */
  async offset(manager: EntityManager, upload: UploadRow): Promise<number> {
    if (upload.status === 'completed' || upload.end === upload.bytesReceived) return upload.bytesReceived;
    if (upload.end === null) return 0;
    const [first] = await this.chunks.missing(manager, upload.id, upload.end);
    return first?.[0] ?? upload.end;
  }

  private async read(
    manager: EntityManager,
    where: string,
    values: unknown[],
    then = '',
  ): Promise<UploadRow[]> {
    return manager.query(
      `SELECT ${COLUMNS} FROM upload_sessions WHERE tus_metadata IS NOT NULL AND ${where} ${then}`,
      values,
    );
  }

  private one(rows: UploadRow[]): UploadRow {
    const row = rows[0];
    if (row) return row;
    throw uploadNotFound();
  }
}
