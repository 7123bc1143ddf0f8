import { randomUUID } from 'node:crypto';
import { type Scope, SluiceError } from '#contracts';
import type { DataSource, EntityManager } from '#persistence';
import { hashOf, newSecret } from './secrets.js';

export interface ApiKeyRow {
  id: string;
  tenantId: string;
  name: string;
  hint: string;
  scopes: Scope[];
  createdAt: Date;
  expiresAt: Date | null;
  revokedAt: Date | null;
  lastUsedAt: Date | null;
  /** The key that took its place. */
  replacedBy: string | null;
}

export interface IssuedKey {
  row: ApiKeyRow;
  /** The key itself; only its digest is stored. */
  key: string;
}

export interface NewApiKey {
  tenantId: string;
  name: string;
  scopes: readonly Scope[];
  expiresAt: Date | null;
}

const COLUMNS = `id, tenant_id AS "tenantId", name, hint, scopes, created_at AS "createdAt", expires_at AS "expiresAt",
  revoked_at AS "revokedAt", last_used_at AS "lastUsedAt", replaced_by AS "replacedBy"`;
const IS_LIVE = 'revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())';
/** A key that serves a page is used all the time; nobody asks to the second. */
const USE_IS_WRITTEN_EVERY = "interval '1 minute'";
const LISTED_AT_MOST = 1000;

/** Rows of `api_keys`. A `tenantId` of null is the operator's: any tenant. */
export class ApiKeys {
  constructor(private readonly database: Pick<DataSource, 'query' | 'transaction'>) {}

  async create(wanted: NewApiKey): Promise<IssuedKey> {
    return insert(this.database, wanted);
  }

  /** The newest first. */
  async list(tenantId: string | null): Promise<ApiKeyRow[]> {
    return this.database.query(
      `SELECT ${COLUMNS} FROM api_keys WHERE (tenant_id = $1 OR $1::text IS NULL)
       ORDER BY created_at DESC, id LIMIT ${LISTED_AT_MOST}`,
      [tenantId],
    );
  }

  /**
   * Another key for the same use; the old one counts for `overlapSeconds` more. Throws `key_not_found`, or
   * what `check` says to who asks: nobody gets scopes in this way that they do not have.
   */
  async rotate(
    tenantId: string | null,
    id: string,
    overlapSeconds: number,
    check: (scopes: readonly Scope[]) => void = () => undefined,
  ): Promise<IssuedKey> {
    return this.database.transaction(async (manager) => {
      const old = found(
        await manager.query(
          `SELECT ${COLUMNS} FROM api_keys WHERE id = $1 AND (tenant_id = $2 OR $2::text IS NULL)
             AND ${IS_LIVE} AND replaced_by IS NULL FOR UPDATE`,
          [id, tenantId],
        ),
      );
      check(old.scopes);
      const issued = await insert(manager, old);
      await manager.query(
        `UPDATE api_keys SET replaced_by = $2,
           expires_at = LEAST(COALESCE(expires_at, 'infinity'), now() + make_interval(secs => $3)) WHERE id = $1`,
        [id, issued.row.id, overlapSeconds],
      );
      return issued;
    });
  }

  /** From now on, for good. Throws `key_not_found`. */
  async revoke(
    tenantId: string | null,
    id: string,
    check: (scopes: readonly Scope[]) => void = () => undefined,
  ): Promise<ApiKeyRow> {
    return this.database.transaction(async (manager) => {
      const [rows] = (await manager.query(
        `UPDATE api_keys SET revoked_at = COALESCE(revoked_at, now())
         WHERE id = $1 AND (tenant_id = $2 OR $2::text IS NULL) RETURNING ${COLUMNS}`,
        [id, tenantId],
      )) as [ApiKeyRow[], number];
      const row = found(rows);
      check(row.scopes);
      return row;
    });
  }

  /** The live row of a key that somebody shows; null: there is none. */
  async findLive(key: string): Promise<ApiKeyRow | null> {
    const rows = (await this.database.query(
      `SELECT ${COLUMNS} FROM api_keys WHERE hash = $1 AND ${IS_LIVE}`,
      [hashOf(key)],
    )) as ApiKeyRow[];
    return rows[0] ?? null;
  }

  /** Tokens of a key outlive its rotation and its time, but not its end by hand. */
  async isRevoked(id: string): Promise<boolean> {
    const rows = (await this.database.query('SELECT 1 FROM api_keys WHERE id = $1 AND revoked_at IS NULL', [
      id,
    ])) as unknown[];
    return rows.length === 0;
  }

  async markUsed(id: string): Promise<void> {
    await this.database.query(
      `UPDATE api_keys SET last_used_at = now()
       WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < now() - ${USE_IS_WRITTEN_EVERY})`,
      [id],
    );
  }
}

async function insert(
  database: Pick<EntityManager, 'query'>,
  { tenantId, name, scopes, expiresAt }: NewApiKey,
): Promise<IssuedKey> {
  const { key, hash, hint } = newSecret();
  const rows = (await database.query(
    `INSERT INTO api_keys (id, tenant_id, name, hash, hint, scopes, expires_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING ${COLUMNS}`,
    [randomUUID(), tenantId, name, hash, hint, [...scopes], expiresAt],
  )) as ApiKeyRow[];
  return { row: found(rows), key };
}

function found(rows: ApiKeyRow[]): ApiKeyRow {
  const row = rows[0];
  if (row) return row;
  throw new SluiceError(
    'key_not_found',
    'There is no such key that is in use; list the keys of this tenant.',
  );
}
