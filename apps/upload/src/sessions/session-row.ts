import type { ErrorCode, SessionData, SessionStatus } from '#contracts';
import { SluiceError } from '#contracts';

/** A row of `upload_sessions` as the SQL of this service reads it. Sizes in bytes. */
export interface AnySessionRow {
  id: string;
  tenantId: string;
  /** Null for a part of a file that tus sends in parts. */
  jobId: string | null;
  assetId: string | null;
  filename: string;
  fileSize: number | null;
  fileHash: string | null;
  sha256: string | null;
  totalChunks: number | null;
  chunkSize: number | null;
  chunksReceived: number;
  bytesReceived: number;
  status: SessionStatus;
  priority: number;
  profile: string;
  errorCode: ErrorCode | null;
  errorMessage: string | null;
  expiresAt: Date;
  /** Since it was created. */
  ageSeconds: number;
  /** Still `active`, but past its time by the database's clock. */
  overdue: boolean;
  /** The fencing number of the tus request that writes, or wrote last. */
  writer: number;
  /** The process that computes the file's SHA-256; null when its lease has ended, or nobody has begun. */
  digestOwner: string | null;
}

/** A session of a whole file: what every door but tus knows. */
export interface SessionRow extends AnySessionRow {
  jobId: string;
  assetId: string;
}

export const SESSION_COLUMNS = `id, tenant_id AS "tenantId", job_id AS "jobId", asset_id AS "assetId", filename,
  file_size AS "fileSize", file_hash AS "fileHash", sha256, total_chunks AS "totalChunks", chunk_size AS "chunkSize",
  chunks_received AS "chunksReceived", bytes_received AS "bytesReceived", status, priority, profile,
  error_code AS "errorCode", error_message AS "errorMessage", expires_at AS "expiresAt",
  extract(epoch FROM now() - created_at)::float8 AS "ageSeconds",
  (status = 'active' AND expires_at <= now()) AS overdue, writer,
  CASE WHEN digest_until > now() THEN digest_owner END AS "digestOwner"`;

/** A part of a file that tus sends in parts: no job, and none of the other doors' business. */
export const WHOLE_FILE = "tus_concat IS DISTINCT FROM 'partial'";

export const allThere = (session: AnySessionRow) =>
  session.fileSize !== null && session.bytesReceived === session.fileSize;

/** Whole percent of the file that is confirmed; by chunks while the size is not known. */
export function uploadPercent(session: SessionRow): number {
  if (session.status === 'completed') return 100;
  const [part, whole] =
    session.fileSize === null
      ? [session.chunksReceived, session.totalChunks ?? 0]
      : [session.bytesReceived, session.fileSize];
  return whole === 0 ? 0 : Math.floor((100 * part) / whole);
}

/** Throws unless bytes may still be sent: `session_expired`, `session_cancelled`, `session_closed`, or what the session failed with. */
export function refuseUnlessActive(session: AnySessionRow): void {
  if (session.overdue || session.status === 'expired') throw sessionExpired();
  if (session.status === 'cancelled') {
    throw new SluiceError(
      'session_cancelled',
      'This upload was cancelled; create a new session to send the file again.',
    );
  }
  // Of chunks that travel together one is refused for what it holds, and the others hear the same reason.
  if (session.status === 'failed' && session.errorCode && session.errorMessage) {
    throw new SluiceError(session.errorCode, session.errorMessage);
  }
  if (session.status !== 'active') {
    throw new SluiceError(
      'session_closed',
      'This upload is complete and takes no more bytes; create a new session for another file.',
    );
  }
}

export const sessionExpired = () =>
  new SluiceError(
    'session_expired',
    'The time for this upload has passed; create a new session and send the file again.',
  );

export function toSessionData(session: SessionRow, missing: [number, number][]): SessionData {
  return {
    session_id: session.id,
    job_id: session.jobId,
    filename: session.filename,
    size: session.fileSize,
    total_chunks: session.totalChunks,
    chunks_received: session.chunksReceived,
    bytes_received: session.bytesReceived,
    progress_percentage: uploadPercent(session),
    status: session.status,
    missing,
    sha256: session.sha256,
    expires_at: session.expiresAt.toISOString(),
    error_code: session.errorCode,
    error_message: session.errorMessage,
  };
}
