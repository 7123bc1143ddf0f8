import { Inject, Injectable } from '@nestjs/common';
import {
  chunkPrefix,
  type ErrorCode,
  type JobStatus,
  type SessionStatus,
  SluiceError,
  type TenantFact,
} from '#contracts';
import { recordFact } from '#events';
import type { EntityManager } from '#persistence';
import type { ObjectStore } from '#storage';
import { Announcer } from '../announcer.js';
import { SourceReader } from '../chunks/source-reader.js';
import { Journal } from '../journal.js';
import { Rows } from '../rows.js';
import { STORE } from '../settings.js';
import { type SessionRow, sessionExpired } from './session-row.js';

interface End {
  status: SessionStatus;
  code: ErrorCode;
  message: string;
}

interface Ended {
  /** Null: it had ended already. */
  before: SessionRow | null;
  session: SessionRow;
  facts: (TenantFact | null)[];
  /** The asset lost its last reference. */
  cleanup: boolean;
  /** Objects that its rows named; they may lie below another session's prefix. */
  keys: string[];
}

/** Cancel, expiry, refusal: session, job, asset and spans end in one transaction, then what they left goes. */
@Injectable()
export class EndingService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(STORE) private readonly store: ObjectStore,
    @Inject(Journal) private readonly journal: Journal,
    @Inject(SourceReader) private readonly source: SourceReader,
  ) {}

  /** The client's own wish; a session that has ended already stays as it is. */
  async cancel(id: string): Promise<SessionRow> {
    return this.end(
      id,
      CANCELLED,
      (session) => session.status === 'active' || session.status === 'completed',
    );
  }

  /** The same, unless its job has ended: what has its result keeps it. */
  async cancelOpen(id: string): Promise<SessionRow> {
    return this.end(id, CANCELLED, async (session, manager) => {
      if (session.status !== 'completed') return session.status === 'active';
      return isOpen(await this.rows.jobs.lock(manager, session.jobId));
    });
  }

  /** The content was refused: sending more of it would not help. */
  async refuse(id: string, error: SluiceError): Promise<SessionRow> {
    const end: End = { status: 'failed', code: error.code, message: error.message };
    return this.end(id, end, (session) => session.status === 'active');
  }

  /** Does nothing unless the session is really past its time. */
  async expire(id: string): Promise<SessionRow> {
    return this.end(id, EXPIRED, (session) => session.overdue);
  }

  /** Ends the session where the error that a request met says so; otherwise it stays as it is. */
  async settle(id: string, error: unknown): Promise<void> {
    if (!(error instanceof SluiceError)) return;
    if (error.code === 'session_expired') await this.expire(id);
    if (error.code === 'not_a_video') await this.refuse(id, error);
  }

  /** Ends one overdue session that no other process works on; false when there is none. */
  async expireNext(): Promise<boolean> {
    const ended = await this.rows.transaction(async (manager) => {
      const session = await this.rows.sessions.lockOverdue(manager);
      return session && this.endLocked(manager, session, EXPIRED);
    });
    if (ended) await this.tidy(ended);
    return ended !== null;
  }

  private async end(
    id: string,
    end: End,
    applies: (session: SessionRow, manager: EntityManager) => boolean | Promise<boolean>,
  ): Promise<SessionRow> {
    const ended = await this.rows.transaction(async (manager): Promise<Ended> => {
      const session = await this.rows.sessions.lock(manager, id);
      return (await applies(session, manager))
        ? this.endLocked(manager, session, end)
        : { before: null, session, facts: [], cleanup: false, keys: [] };
    });
    await this.tidy(ended);
    return ended.session;
  }

  private async endLocked(manager: EntityManager, before: SessionRow, end: End): Promise<Ended> {
    const jobStatus = await this.rows.jobs.lock(manager, before.jobId);
    const jobIsOpen = isOpen(jobStatus);
    const session = await this.rows.sessions.end(manager, before.id, end);
    const keys = await this.rows.chunks.deleteAll(manager, before.id);
    const facts: (TenantFact | null)[] = [];
    if (jobIsOpen) {
      await this.rows.jobs.fail(manager, before.jobId, end.code, end.message);
      facts.push(
        await recordFact(manager, before.jobId, {
          type:
            end.status === 'expired'
              ? 'session_expired'
              : before.status === 'completed'
                ? 'processing_failed'
                : 'upload_failed',
          durable: true,
          code: end.code,
          message: end.message,
          bytesReceived: before.bytesReceived,
          bytesTotal: before.fileSize,
        }),
      );
    }
    const cleanup = await this.rows.jobs.release(manager, before.assetId);
    if (jobIsOpen) await this.rows.jobs.cancelSpans(manager, before.jobId);
    return { before, session, facts, cleanup, keys };
  }

  /** After the commit; what a crash leaves here is found by the sweeper and the reconciler. */
  private async tidy({ before, session, facts, cleanup, keys }: Ended): Promise<void> {
    if (before) this.journal.ended(before, session);
    if (session.status === 'active' || session.status === 'completed') return;
    if (cleanup) await this.announcer.cleanup(session.assetId, session.id);
    await this.announcer.publish(...facts);
    const prefix = chunkPrefix(session.id);
    await this.source.deleteObjects(keys.filter((key) => !key.startsWith(prefix)));
    await this.store.deletePrefix(prefix);
  }
}

const CANCELLED: End = { status: 'cancelled', code: 'cancelled', message: 'The upload was cancelled.' };
const EXPIRED: End = { status: 'expired', code: 'session_expired', message: sessionExpired().message };

const isOpen = (job: JobStatus) => job === 'pending' || job === 'processing';
