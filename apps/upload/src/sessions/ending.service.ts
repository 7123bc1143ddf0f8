import { Inject, Injectable } from '@nestjs/common';
import {
  chunkPrefix,
  type ErrorCode,
  type EventType,
  type SessionStatus,
  SluiceError,
  type TenantFact,
} from '#contracts';
import { failJob } from '#events';
import type { EntityManager } from '#persistence';
import type { ObjectStore } from '#storage';
import { Announcer } from '../announcer.js';
import { SourceReader } from '../chunks/source-reader.js';
import { HandOver } from '../dedup/hand-over.js';
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
  /** The job that goes on with its work, and needs its chunks. */
  heir: string | null;
}

/** Another job waits than the one whose session is locked; nothing has been done. */
const AGAIN = Symbol('again');

/** Cancel, expiry, refusal: session, job, asset and spans end in one transaction, then what they left goes. */
@Injectable()
export class EndingService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(HandOver) private readonly handOver: HandOver,
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
    return this.end(
      id,
      CANCELLED,
      ({ status }, jobIsOpen) => status === 'active' || (status === 'completed' && jobIsOpen),
    );
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
      return session && this.endLocked(manager, session, EXPIRED, () => true);
    });
    if (ended) await this.tidy(ended);
    return ended !== null;
  }

  private async end(
    id: string,
    end: End,
    applies: (session: SessionRow, jobIsOpen: boolean) => boolean,
  ): Promise<SessionRow> {
    for (;;) {
      try {
        const ended = await this.rows.transaction(async (manager) =>
          this.endLocked(manager, await this.rows.sessions.lock(manager, id), end, applies),
        );
        await this.tidy(ended);
        return ended.session;
      } catch (error) {
        if (error !== AGAIN) throw error;
      }
    }
  }

  private async endLocked(
    manager: EntityManager,
    before: SessionRow,
    end: End,
    applies: (session: SessionRow, jobIsOpen: boolean) => boolean,
  ): Promise<Ended> {
    const { id: sessionId, jobId, assetId } = before;
    // Only a job whose source is complete is waited for.
    const heir = before.status === 'completed' ? await this.handOver.lockHeir(manager, jobId) : null;
    const isOpen = await this.rows.jobs.lockOpen(manager, jobId);
    if (!applies(before, isOpen))
      return { before: null, session: before, facts: [], cleanup: false, keys: [], heir: null };
    const handed = isOpen ? await this.handOver.run(manager, { sessionId, jobId, assetId }, heir) : 'nobody';
    if (handed === 'again') throw AGAIN;
    const session = await this.rows.sessions.end(manager, sessionId, end);
    const keys = await this.rows.chunks.deleteAll(manager, sessionId);
    const failed = await failJob(manager, jobId, end, {
      type: factOf(before, end),
      bytesReceived: before.bytesReceived,
      bytesTotal: before.fileSize,
    });
    return {
      ...{ before, session, keys },
      facts: failed?.facts ?? [],
      cleanup: await this.rows.jobs.release(manager, assetId),
      heir: handed === 'done' && heir ? heir.jobId : null,
    };
  }

  /** After the commit; what a crash leaves here is found by the sweeper and the reconciler. */
  private async tidy({ before, session, facts, cleanup, keys, heir }: Ended): Promise<void> {
    if (!before) return;
    this.journal.ended(before, session);
    if (session.status === 'active' || session.status === 'completed') return;
    if (cleanup) await this.announcer.cleanup(session.assetId, session.id);
    // If it is planned already this entry finds nothing to do; its spans are enqueued by the reconciler.
    if (heir) await this.announcer.plan(heir, session.priority);
    await this.announcer.publish(...facts);
    if (heir) return;
    const prefix = chunkPrefix(session.id);
    await this.source.deleteObjects(keys.filter((key) => !key.startsWith(prefix)));
    await this.store.deletePrefix(prefix);
  }
}

function factOf(before: SessionRow, { status }: End): EventType {
  if (status === 'expired') return 'session_expired';
  return before.status === 'completed' ? 'processing_failed' : 'upload_failed';
}

const CANCELLED: End = { status: 'cancelled', code: 'cancelled', message: 'The upload was cancelled.' };
const EXPIRED: End = { status: 'expired', code: 'session_expired', message: sessionExpired().message };
