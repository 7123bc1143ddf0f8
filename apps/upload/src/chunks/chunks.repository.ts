import { Injectable } from '@nestjs/common';
import type { EntityManager } from '#persistence';

/** A row of `upload_chunks`: a confirmed byte range. */
export interface ChunkRow {
  offset: number;
  index: number | null;
  size: number;
  hash: string;
  key: string;
}

const COLUMNS = 'byte_offset AS "offset", chunk_index AS "index", size, hash, storage_path AS key';
const MISSING_RANGES = 1000;

/** Rows of `upload_chunks`; changed only under their session's lock. */
@Injectable()
export class ChunksRepository {
  async overlapping(
    manager: EntityManager,
    sessionId: string,
    from: number,
    to: number,
  ): Promise<ChunkRow[]> {
    return manager.query(
      `SELECT ${COLUMNS} FROM upload_chunks WHERE session_id = $1 AND byte_offset < $3 AND byte_offset + size > $2
       ORDER BY byte_offset LIMIT 2`,
      [sessionId, from, to],
    );
  }

  async byIndex(manager: EntityManager, sessionId: string, index: number): Promise<ChunkRow | null> {
    const rows = (await manager.query(
      `SELECT ${COLUMNS} FROM upload_chunks WHERE session_id = $1 AND chunk_index = $2`,
      [sessionId, index],
    )) as ChunkRow[];
    return rows[0] ?? null;
  }

  /** Whether the row that names this object is there. */
  async isAdopted(manager: EntityManager, key: string): Promise<boolean> {
    const rows = (await manager.query('SELECT 1 FROM upload_chunks WHERE storage_path = $1 LIMIT 1', [
      key,
    ])) as unknown[];
    return rows.length > 0;
  }

  async isEmpty(manager: EntityManager, sessionId: string): Promise<boolean> {
    const rows = (await manager.query('SELECT 1 FROM upload_chunks WHERE session_id = $1 LIMIT 1', [
      sessionId,
    ])) as unknown[];
    return rows.length === 0;
  }

  async insert(manager: EntityManager, sessionId: string, tenantId: string, chunk: ChunkRow): Promise<void> {
    await manager.query(
      `INSERT INTO upload_chunks (session_id, byte_offset, tenant_id, chunk_index, size, hash, storage_path)
       VALUES ($1, $2, $3, $4, $5, $6, $7)`,
      [sessionId, chunk.offset, tenantId, chunk.index, chunk.size, chunk.hash, chunk.key],
    );
  }

  /** The last chunk came before its place was known. */
  async move(manager: EntityManager, sessionId: string, index: number, offset: number): Promise<void> {
    await manager.query(
      'UPDATE upload_chunks SET byte_offset = $3 WHERE session_id = $1 AND chunk_index = $2',
      [sessionId, index, offset],
    );
  }

  /** Ranges `[from, to)` below `end` that no row covers, ascending, at most 1,000. */
  async missing(manager: EntityManager, sessionId: string, end: number): Promise<[number, number][]> {
    const rows = (await manager.query(
      `WITH edges AS (
         SELECT byte_offset AS start, byte_offset + size AS stop FROM upload_chunks
           WHERE session_id = $1 AND byte_offset < $2
         UNION ALL SELECT $2::bigint, $2::bigint),
       gaps AS (SELECT COALESCE(lag(stop) OVER (ORDER BY start), 0) AS "from", start AS "to" FROM edges)
       SELECT "from", "to" FROM gaps WHERE "to" > "from" ORDER BY "from" LIMIT ${MISSING_RANGES}`,
      [sessionId, end],
    )) as { from: number; to: number }[];
    return rows.map(({ from, to }) => [from, to]);
  }

  /** In order of their place, page by page: the source as it is read. */
  async page(manager: EntityManager, sessionId: string, after: number, limit: number): Promise<ChunkRow[]> {
    return manager.query(
      `SELECT ${COLUMNS} FROM upload_chunks WHERE session_id = $1 AND byte_offset > $2 ORDER BY byte_offset LIMIT $3`,
      [sessionId, after, limit],
    );
  }

  /** The same from the end of the file, backwards. */
  async lastPage(manager: EntityManager, sessionId: string, limit: number): Promise<ChunkRow[]> {
    return manager.query(
      `SELECT ${COLUMNS} FROM upload_chunks WHERE session_id = $1 ORDER BY byte_offset DESC LIMIT $2`,
      [sessionId, limit],
    );
  }

  /** Changes when any chunk is another one: MD5 over the keys with commas between them, in order. */
  async fingerprint(manager: EntityManager, sessionId: string): Promise<string> {
    const rows = (await manager.query(
      `SELECT COALESCE(md5(string_agg(storage_path, ',' ORDER BY byte_offset)), '') AS fingerprint
       FROM upload_chunks WHERE session_id = $1`,
      [sessionId],
    )) as { fingerprint: string }[];
    return rows[0]!.fingerprint;
  }

  /** Answers with the keys of the objects that the rows named; the session's chunk limit bounds them. */
  async deleteAll(manager: EntityManager, sessionId: string): Promise<string[]> {
    const [rows] = (await manager.query(
      'DELETE FROM upload_chunks WHERE session_id = $1 RETURNING storage_path AS key',
      [sessionId],
    )) as [{ key: string }[], number];
    return rows.map((row) => row.key);
  }

  /** Of these objects those that no row names: a row may name one of another session (tus, concatenation). */
  async orphans(manager: EntityManager, keys: string[]): Promise<string[]> {
    const rows = (await manager.query(
      `SELECT o.key FROM unnest($1::text[]) AS o (key)
       WHERE NOT EXISTS (SELECT 1 FROM upload_chunks c WHERE c.storage_path = o.key)`,
      [keys],
    )) as { key: string }[];
    return rows.map((row) => row.key);
  }
}
