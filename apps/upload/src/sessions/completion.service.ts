import { Inject, Injectable } from '@nestjs/common';
import { SluiceError, type TenantFact } from '#contracts';
import { recordFact } from '#events';
import { Announcer } from '../announcer.js';
import { SourceReader } from '../chunks/source-reader.js';
import { DigestService } from '../digest/digest.service.js';
import { refuseUnlessVideo, sniff } from '../files/sniff.js';
import { Journal } from '../journal.js';
import { Rows } from '../rows.js';
import { EndingService } from './ending.service.js';
import { allThere, refuseUnlessActive, type SessionRow } from './session-row.js';

/** What was checked outside of the session's lock; it only counts while the chunks are still these. */
interface Checked {
  fingerprint: string;
  sha256: string | null;
}

/** `dropped`: the objects of the chunks that did not make the promised file. */
type Outcome = { session: SessionRow; won: boolean; fact: TenantFact | null; dropped?: string[] } | 'changed';

/** `active → completed`: by whoever sees the last byte, as often as it is asked for. */
@Injectable()
export class CompletionService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(SourceReader) private readonly source: SourceReader,
    @Inject(DigestService) private readonly digests: DigestService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(Journal) private readonly journal: Journal,
  ) {}

  /**
   * Answers with the completed session, also when it was completed before. Throws `missing_chunks`
   * with the ranges, `file_hash_mismatch` (every chunk is dropped and the session stays active),
   * `not_a_video`, or why the session is closed.
   */
  async complete(id: string): Promise<SessionRow> {
    try {
      return await this.tryUntilSettled(id);
    } catch (error) {
      await this.ending.settle(id, error);
      throw error;
    }
  }

  private async tryUntilSettled(id: string): Promise<SessionRow> {
    for (;;) {
      const session = await this.rows.sessions.find(this.rows.manager, id);
      if (session.status === 'completed') return session;
      refuseUnlessActive(session);
      if (!allThere(session)) throw await this.missing(session);
      const checked = await this.check(session);
      if (checked === 'changed') continue;
      const outcome = await this.commit(id, checked);
      if (outcome === 'changed') continue;
      if (outcome.dropped) {
        // Rows went first: an object that a crash leaves here has no row and is swept.
        await this.source.deleteObjects(outcome.dropped);
        throw fileHashMismatch(outcome.session.fileHash, checked.sha256);
      }
      if (outcome.won) this.journal.completed(outcome.session);
      return this.announce(outcome.session, outcome.fact);
    }
  }

  private async check(session: SessionRow): Promise<Checked | 'changed'> {
    const fingerprint = await this.rows.chunks.fingerprint(this.rows.manager, session.id);
    try {
      refuseUnlessVideo(sniff(await this.source.head(session.id)));
      return {
        fingerprint,
        sha256: session.fileHash === null ? null : await this.digests.compute(session.id),
      };
    } catch (error) {
      // Somebody may have ended or reset the session while we read: then this is a verdict on no file at all.
      const now = await this.rows.sessions.find(this.rows.manager, session.id);
      const same = (await this.rows.chunks.fingerprint(this.rows.manager, session.id)) === fingerprint;
      if (error instanceof SluiceError && !(same && allThere(now) && now.status === 'active'))
        return 'changed';
      throw error;
    }
  }

  private async commit(id: string, checked: Checked): Promise<Outcome> {
    return this.rows.transaction(async (manager): Promise<Outcome> => {
      const session = await this.rows.sessions.lock(manager, id);
      if (session.status === 'completed') return { session, won: false, fact: null };
      refuseUnlessActive(session);
      if ((await this.rows.chunks.fingerprint(manager, id)) !== checked.fingerprint || !allThere(session))
        return 'changed';
      if (checked.sha256 !== session.fileHash) {
        const dropped = await this.rows.chunks.deleteAll(manager, id);
        await this.rows.sessions.reset(manager, id);
        return { session, won: false, fact: null, dropped };
      }
      const completed = await this.rows.sessions.complete(manager, id, checked.sha256);
      const fact = await recordFact(manager, session.jobId, {
        type: 'upload_completed',
        durable: true,
        stage: 'uploading',
        progress: 10,
        bytesReceived: session.bytesReceived,
        bytesTotal: session.fileSize,
      });
      await this.rows.jobs.markSourceComplete(manager, session, {
        size: session.bytesReceived,
        sha256: checked.sha256,
      });
      return { session: completed, won: true, fact };
    });
  }

  private async announce(session: SessionRow, fact: TenantFact | null): Promise<SessionRow> {
    await this.announcer.plan(session.jobId, session.priority);
    await this.announcer.publish(fact);
    if (session.sha256 === null) this.digests.fillIn(session);
    return session;
  }

  private async missing(session: SessionRow): Promise<SluiceError> {
    const end = session.fileSize ?? 0;
    const missing = await this.rows.chunks.missing(this.rows.manager, session.id, end);
    return new SluiceError(
      'missing_chunks',
      'Not all bytes of this file have arrived; send the missing ranges.',
      {
        details: { missing, bytes_received: session.bytesReceived, size: session.fileSize },
      },
    );
  }
}

export const fileHashMismatch = (expected: string | null, actual: string | null) =>
  new SluiceError(
    'file_hash_mismatch',
    'The file that arrived does not have the promised file_hash; send its chunks again, or cancel and start over.',
    { details: { expected, actual } },
  );
