import { randomUUID } from 'node:crypto';
import type { DataSource } from '#persistence';

/** Who computes a session's digest: this process, for as long as it lives. */
export const DIGEST_OWNER = randomUUID();

export interface HeldSession {
  id: string;
  bytesReceived: number;
  /** Every byte is confirmed. */
  whole: boolean;
}

/**
 * Of several processes that take one file's chunks, one computes its digest: the one that has the
 * lease on the session's row. Adopting a chunk takes a free one and extends its own in the same
 * statement (SessionsRepository.adopt); what is here is for sessions that rest. A lease that is lost
 * costs a second computation and nothing else.
 */
export class DigestLeases {
  constructor(
    private readonly database: DataSource,
    private readonly seconds: number,
  ) {}

  /** Milliseconds after which a lease that rests is to be extended. */
  get extendAfterMs(): number {
    return (this.seconds * 1000) / 3;
  }

  /** False: another process has it, or the session is no longer active. */
  async claim(sessionId: string): Promise<boolean> {
    const [rows] = (await this.database.query(
      `UPDATE upload_sessions SET digest_owner = $2, digest_until = now() + make_interval(secs => $3)
       WHERE id = $1 AND status = 'active'
         AND (digest_owner = $2 OR digest_until IS NULL OR digest_until <= now()) RETURNING 1`,
      [sessionId, DIGEST_OWNER, this.seconds],
    )) as [unknown[], number];
    return rows.length > 0;
  }

  /** Of these sessions those that are active and still ours. */
  async held(sessionIds: string[]): Promise<HeldSession[]> {
    return this.database.query(
      `SELECT id, bytes_received AS "bytesReceived", COALESCE(bytes_received = file_size, false) AS whole
       FROM upload_sessions WHERE id = ANY($1) AND status = 'active' AND digest_owner = $2`,
      [sessionIds, DIGEST_OWNER],
    );
  }

  /** Rows that somebody works on are skipped: chunks do not wait for this, and adopting one extends, too. */
  async extend(sessionIds: string[]): Promise<void> {
    await this.database.query(
      `UPDATE upload_sessions SET digest_until = now() + make_interval(secs => $3) WHERE id IN (
         SELECT id FROM upload_sessions WHERE id = ANY($1) AND status = 'active' AND digest_owner = $2
         FOR UPDATE SKIP LOCKED)`,
      [sessionIds, DIGEST_OWNER, this.seconds],
    );
  }

  /** Another process need not wait for the leases of one that stops. */
  async release(sessionIds: string[]): Promise<void> {
    await this.database.query(
      `UPDATE upload_sessions SET digest_until = NULL WHERE id IN (
         SELECT id FROM upload_sessions WHERE id = ANY($1) AND status = 'active' AND digest_owner = $2
         FOR UPDATE SKIP LOCKED)`,
      [sessionIds, DIGEST_OWNER],
    );
  }
}
