import { ANYBODYS, type Principal, SluiceError } from '#contracts';
import type { Rows } from '../rows.js';
import type { Opened, Wish } from './creation.service.js';

/** Postgres: there is a row with this key already. */
const UNIQUE_VIOLATION = '23505';

/** What an upload token lets its holder open: one session of one size, for the person that it names, in no batch. */
export function granted<W extends Pick<Wish, 'size' | 'batchId'>>(wish: W, by: Principal): W {
  if (by.kind !== 'token') return wish;
  if (wish.size !== null && wish.size !== by.uploadSize) throw otherSize(by.uploadSize);
  if (wish.batchId)
    throw new SluiceError('upload_not_allowed', 'An upload token opens no session of a batch.');
  return { ...wish, size: by.uploadSize, userId: by.userId };
}

/**
 * Who promises a digest gets what is known by it without sending a byte. A tenant's own key may; the holder of
 * a token is one of the tenant's people, who proves by sending it that they have the file.
 */
export const mayPromise = (by: Principal): boolean => by.kind !== 'token';

const otherSize = (size: number | null) =>
  new SluiceError(
    'upload_not_allowed',
    `This upload token is for a file of ${size} bytes; ask for another.`,
    {
      details: { size },
    },
  );

/** Who holds a token and lost the answer asks again, and gets the session that there is. */
export async function openOnce(rows: Rows, by: Principal, open: () => Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    // The session itself may be what has used the quota up.
    if (by.sessionId === null || !(isTaken(error) || isOverQuota(error))) throw error;
    const reach = { ...ANYBODYS, tenantId: by.tenantId };
    const session = await rows.sessions.find(rows.manager, by.sessionId, reach).catch(() => {
      throw error;
    });
    return { session, duplicate: session.status === 'completed' };
  }
}

/** For the doors that say nothing of a session that is open already. */
export async function openNew(open: () => Promise<Opened>): Promise<Opened> {
  try {
    return await open();
  } catch (error) {
    if (!isTaken(error)) throw error;
    throw new SluiceError(
      'session_closed',
      'The session of this upload token has been opened before; go on with it, or ask for another token.',
      { cause: error },
    );
  }
}

const isOverQuota = (error: unknown) => error instanceof SluiceError && error.code === 'quota_exceeded';

const isTaken = (error: unknown) =>
  (error as { code?: unknown; constraint?: unknown } | null)?.code === UNIQUE_VIOLATION &&
  (error as { constraint?: unknown }).constraint === 'upload_sessions_pkey';
