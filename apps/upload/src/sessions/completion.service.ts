import { setTimeout as sleep } from 'node:timers/promises';
import { Inject, Injectable } from '@nestjs/common';
import { ANYBODYS, percentOf, SluiceError, type TenantFact } from '#contracts';
import { recordFact } from '#events';
import { dropDerived, lockOpenJob } from '#work';
import { Announcer } from '../announcer.js';
import { SourceReader } from '../chunks/source-reader.js';
import { SharedWork } from '../dedup/shared-work.js';
import { DigestService } from '../digest/digest.service.js';
import type { FileDigest } from '../digest/prefix.js';
import { refuseUnlessVideo, sniff } from '../files/sniff.js';
import { Journal } from '../journal.js';
import { Rows } from '../rows.js';
import { UploadSettings } from '../settings.js';
import { EndingService } from './ending.service.js';
import { allThere, refuseUnlessActive, type SessionRow } from './session-row.js';

/** While another process computes the digest. */
const LOOK_AGAIN_MS = 100;
/** An object that a row still names at the third look is lost, and not just being dropped. */
const LOOKS = 3;

interface Committed {
  session: SessionRow;
  /** `other`: somebody else was faster. `mismatch`: the chunks did not make the promised file. */
  kind: 'completed' | 'duplicate' | 'mismatch' | 'other';
  facts: (TenantFact | null)[];
  /** Objects of chunks that are not needed any more. */
  dropped: string[];
}
type Outcome = Committed | 'changed';

/** `active → completed`: by whoever sees the last byte, as often as it is asked for. */
@Injectable()
export class CompletionService {
  private readonly settling = new Map<string, Promise<SessionRow>>();

  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(SourceReader) private readonly source: SourceReader,
    @Inject(DigestService) private readonly digests: DigestService,
    @Inject(SharedWork) private readonly shared: SharedWork,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(Journal) private readonly journal: Journal,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {
    digests.onWhole((id) => void this.settle(id).catch(() => undefined));
  }

  /**
   * Answers with the completed session, also when it was completed before. Where the digest takes longer
   * than a request may (a large file whose process has been restarted) the answer is the session as it
   * is, `active` with nothing missing, and it is completed in the background. Throws `missing_chunks` with
   * the ranges, `file_hash_mismatch` (every chunk is dropped and the session stays active),
   * `not_a_video`, or why the session is closed.
   */
  async complete(id: string): Promise<SessionRow> {
    const settled = this.settle(id);
    const late = new AbortController();
    const patience = sleep(this.settings.completeWaitMs, null, { signal: late.signal, ref: false });
    try {
      const session = await Promise.race([settled, patience]);
      return session ?? (await this.rows.sessions.find(this.rows.manager, id, ANYBODYS));
    } finally {
      settled.catch(() => undefined);
      patience.catch(() => undefined);
      late.abort();
    }
  }

  /** One at a time for a session: who asks meanwhile gets the same answer, unless it may be older than the last byte. */
  private settle(id: string): Promise<SessionRow> {
    const running = this.settling.get(id);
    if (running) {
      return running.catch((error: unknown) => {
        if (error instanceof SluiceError && error.code === 'missing_chunks') return this.settle(id);
        throw error;
      });
    }
    const settled = this.tryUntilSettled(id)
      .catch(async (error: unknown) => {
        await this.ending.settle(id, error);
        throw error;
      })
      .finally(() => this.settling.delete(id));
    this.settling.set(id, settled);
    return settled;
  }

  private async tryUntilSettled(id: string): Promise<SessionRow> {
    for (let [waited, gone] = [false, 0]; ; ) {
      const session = await this.rows.sessions.find(this.rows.manager, id, ANYBODYS);
      if (session.status === 'completed') return session;
      refuseUnlessActive(session);
      // Bytes that were there go only when they are not the promised file.
      if (!allThere(session))
        throw waited ? fileHashMismatch(session.fileHash, null) : await this.missing(session);
      const digest = await this.check(session);
      if (digest === 'gone' && ++gone === LOOKS) throw sourceGone();
      if (digest === 'elsewhere') {
        waited = true;
        await sleep(LOOK_AGAIN_MS);
      }
      if (typeof digest === 'string') continue;
      const outcome = await this.commit(id, digest);
      // A digest of other chunks than those of now is of no use.
      this.digests.forget(id);
      if (outcome === 'changed') continue;
      if (outcome.kind === 'mismatch') {
        await this.source.deleteObjects(outcome.dropped);
        throw fileHashMismatch(outcome.session.fileHash, digest.sha256);
      }
      await this.announce(outcome);
      await this.source.deleteObjects(outcome.dropped);
      return outcome.session;
    }
  }

  /** Somebody may end or reset the session while we read: then this is a verdict on no file at all. */
  private async check(session: SessionRow): Promise<FileDigest | 'elsewhere' | 'changed' | 'gone'> {
    try {
      const digest = await this.digests.of(session);
      if (digest === 'elsewhere' || digest === 'changed') return digest;
      const verdict = sniff(await this.source.head(session.id));
      if (verdict === 'video') return digest;
      const now = await this.rows.chunks.fingerprint(this.rows.manager, session.id);
      if (now !== digest.fingerprint) return 'changed';
      refuseUnlessVideo(verdict);
      return digest;
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'object_not_found') return 'gone';
      throw error;
    }
  }

  /** The digest only counts while the chunks are still those that were read. */
  private async commit(id: string, digest: FileDigest): Promise<Outcome> {
    return this.rows.transaction(async (manager): Promise<Outcome> => {
      const session = await this.rows.sessions.lock(manager, id);
      const nothing = { session, facts: [], dropped: [] };
      if (session.status === 'completed') return { ...nothing, kind: 'other' };
      refuseUnlessActive(session);
      if (!allThere(session)) return 'changed';
      if ((await this.rows.chunks.fingerprint(manager, id)) !== digest.fingerprint) return 'changed';
      const { sha256, edges } = digest;
      if (session.fileHash !== null && session.fileHash !== sha256) {
        const dropped = await this.rows.chunks.deleteAll(manager, id);
        await this.rows.sessions.reset(manager, id);
        await lockOpenJob(manager, session.jobId);
        await dropDerived(manager, session.jobId);
        await this.rows.jobs.forgetSource(manager, session.jobId);
        return { ...nothing, kind: 'mismatch', dropped };
      }
      const { tenantId, profile, bytesReceived: size } = session;
      const known = await this.shared.find(manager, { tenantId, profile, sha256, size }, session.jobId);
      const { scans } = this.settings;
      const completed = await this.rows.sessions.complete(manager, id, sha256);
      const fact = await recordFact(manager, session.jobId, {
        type: 'upload_completed',
        durable: true,
        stage: 'uploading',
        progress: percentOf('uploading', 1),
        bytesReceived: session.bytesReceived,
        bytesTotal: session.fileSize,
        ...(scans && !known ? { message: 'All bytes are here; the virus scanner looks at them now.' } : {}),
      });
      if (!known) {
        await this.rows.jobs.markSourceComplete(manager, session, { size, sha256, edges, scans });
        return { ...nothing, kind: 'completed', session: completed, facts: [fact] };
      }
      const { jobId, assetId } = session;
      const facts = await this.shared.join(manager, { sessionId: id, jobId, assetId }, known);
      return {
        session: { ...completed, assetId: known.assetId },
        kind: 'duplicate',
        facts: [fact, ...facts],
        dropped: await this.rows.chunks.deleteAll(manager, id),
      };
    });
  }

  private async announce({ session, kind, facts }: Committed): Promise<void> {
    if (kind === 'completed' || kind === 'duplicate') this.journal.completed(session);
    if (kind === 'duplicate') this.journal.duplicate(session, 'completion');
    // A job that waits, or has its result, is not planned.
    else await this.announcer.sourceComplete(session.jobId, session.priority);
    await this.announcer.publish(...facts);
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

const sourceGone = () =>
  new SluiceError(
    'object_not_found',
    'Parts of this file are no longer stored; cancel it and send it again.',
  );
