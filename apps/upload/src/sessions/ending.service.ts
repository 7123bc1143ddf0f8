import { Inject, Injectable } from '@nestjs/common';
import { chunkPrefix, SluiceError } from '#contracts';
import type { EntityManager } from '#persistence';
import type { ObjectStore } from '#storage';
import { AGAIN, CANCELLED, type EndedSession, endSession, type SessionEnd } from '#work';
import { Announcer } from '../announcer.js';
import { SourceReader } from '../chunks/source-reader.js';
import { Journal } from '../journal.js';
import { Rows } from '../rows.js';
import { STORE } from '../settings.js';
import { type SessionRow, sessionExpired } from './session-row.js';

interface Ended {
  /** Null: it had ended already. */
  before: SessionRow | null;
  session: SessionRow;
  left: EndedSession;
}

const NOTHING_LEFT: EndedSession = { facts: [], cleanup: false, keys: [], heir: null };

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
    return this.end(
      id,
      CANCELLED,
      ({ status }, jobIsOpen) => status === 'active' || (status === 'completed' && jobIsOpen),
    );
  }

  /** The content was refused: sending more of it would not help. */
  async refuse(id: string, error: SluiceError): Promise<SessionRow> {
    const end: SessionEnd = { status: 'failed', code: error.code, message: error.message };
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
    end: SessionEnd,
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
    end: SessionEnd,
    applies: (session: SessionRow, jobIsOpen: boolean) => boolean,
  ): Promise<Ended> {
    const left = await endSession(manager, before, end, (jobIsOpen) => applies(before, jobIsOpen));
    if (!left) return { before: null, session: before, left: NOTHING_LEFT };
    return { before, session: await this.rows.sessions.lock(manager, before.id), left };
  }

  /** After the commit; what a crash leaves here is found by the sweeper and the reconciler. */
  private async tidy({ before, session, left: { facts, cleanup, keys, heir } }: Ended): Promise<void> {
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

const EXPIRED: SessionEnd = { status: 'expired', code: 'session_expired', message: sessionExpired().message };
