import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type CreateSessionData, type Principal, percentOf, type TenantFact } from '#contracts';
import { recordFact } from '#events';
import type { EntityManager } from '#persistence';
import { admitUpload } from '#work';
import { Announcer } from '../announcer.js';
import { SharedWork } from '../dedup/shared-work.js';
import { checkFilename } from '../files/filename.js';
import { nameOfProfile, profileOf, refuseUnable } from '../files/profile.js';
import { emptyFile, fileTooLarge } from '../files/refusals.js';
import { refuseUnstorable } from '../files/unstorable.js';
import { Journal } from '../journal.js';
import { Rows } from '../rows.js';
import { UploadSettings } from '../settings.js';
import { granted, mayPromise } from './granted.js';
import type { SessionRow } from './session-row.js';

/** What a client wants to send, from either door; null is what it has not said. */
export interface Wish {
  filename: string;
  /** Bytes. */
  size: number | null;
  contentType: string | null;
  fileHash: string | null;
  totalChunks: number | null;
  priority: number | null;
  profile: string | null;
  options: Record<string, unknown>;
  userId: string | null;
  userName: string | null;
  /** The batch that it joins. */
  batchId?: string | null;
  /** The client's own name for the job (S1-01). */
  key?: string | null;
}

export interface Opened {
  session: SessionRow;
  duplicate: boolean;
}

type WishOf = Wish & { by: Principal };

/** Opens sessions; where the file is known (S3-08) they are complete at once. */
@Injectable()
export class CreationService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(Announcer) private readonly announcer: Announcer,
    @Inject(SharedWork) private readonly shared: SharedWork,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
    @Inject(Journal) private readonly journal: Journal,
  ) {}

  /** Throws what is wrong with the name or the size; changes nothing. Answers with the name to store. */
  check(wish: Pick<Wish, 'filename' | 'size'>): string {
    try {
      const filename = checkFilename(wish.filename, this.settings.extensions);
      if (wish.size === 0) throw emptyFile();
      if (wish.size !== null && wish.size > this.settings.maxFileSize)
        throw fileTooLarge(this.settings.maxFileSize);
      return filename;
    } catch (error) {
      this.journal.refused(wish.filename, error);
      throw error;
    }
  }

  /**
   * `along` happens in the same transaction, or nothing does. `isAdmitted`: what it is made of has been counted
   * against the tenant's quotas already.
   */
  async open(
    wanted: Wish,
    by: Principal,
    id: string = by.sessionId ?? randomUUID(),
    along: (manager: EntityManager, opened: Opened) => Promise<void> = async () => undefined,
    { isAdmitted = false }: { isAdmitted?: boolean } = {},
  ): Promise<Opened> {
    const wish = { ...granted(wanted, by), by };
    const filename = this.check(wish);
    refuseUnstorable(wanted);
    const { profiles } = this.settings;
    profileOf(wish, profiles);
    const { opened, facts } = await this.rows.transaction(async (manager) => {
      if (wish.batchId) await this.rows.batches.join(manager, wish.batchId, by.tenantId);
      const known = await this.openKnown(manager, id, { ...wish, filename });
      if (!known) await refuseUnable(manager, nameOfProfile(wish, profiles), profiles);
      if (!known && !isAdmitted) await admitUpload(manager, this.settings.quotas, by.tenantId, wish.size);
      const result = known ?? (await this.openNew(manager, id, { ...wish, filename }));
      await along(manager, result.opened);
      return result;
    });
    if (opened.duplicate) this.journal.duplicate(opened.session, 'creation');
    else this.journal.opened(opened.session);
    await this.announcer.publish(...facts);
    return opened;
  }

  toData({ session, duplicate }: Opened): CreateSessionData {
    return {
      session_id: session.id,
      job_id: session.jobId,
      status: session.status,
      upload_path: `/v1/upload/video/session/${session.id}/bytes`,
      max_chunk_size: this.settings.maxChunkSize,
      expires_at: session.expiresAt.toISOString(),
      duplicate,
    };
  }

  /** Of a finished job the session shares the job itself; otherwise only the asset: with a job of its own that waits, or, where that job's row is gone, has its result. */
  private async openKnown(
    manager: EntityManager,
    id: string,
    wish: WishOf,
  ): Promise<{ opened: Opened; facts: (TenantFact | null)[] } | null> {
    if (wish.fileHash === null || !mayPromise(wish.by)) return null;
    const file = {
      tenantId: wish.by.tenantId,
      profile: profileOf(wish, this.settings.profiles),
      sha256: wish.fileHash,
      size: wish.size,
    };
    const known = await this.shared.find(manager, file, null);
    if (!known) return null;
    const finished = known.completed ? known.jobId : null;
    const jobId = finished ?? randomUUID();
    const row = this.row(id, wish, { jobId, assetId: known.assetId });
    if (finished === null) {
      const { assetId } = known;
      await this.rows.jobs.insertJob(manager, {
        ...{ jobId, assetId, tenantId: row.tenantId, priority: row.priority },
        key: wish.key ?? null,
      });
    }
    await this.rows.sessions.insert(manager, row);
    const session = await this.rows.sessions.completeAsDuplicate(manager, id);
    const facts = finished
      ? [
          await recordFact(manager, jobId, {
            type: 'duplicate_detected',
            durable: true,
            message: 'This file is known; its result is served at once.',
            cachedResult: known.result,
          }),
        ]
      : await this.shared.join(manager, { sessionId: id, jobId, assetId: known.assetId }, known);
    return { opened: { session, duplicate: true }, facts };
  }

  private async openNew(
    manager: EntityManager,
    id: string,
    wish: WishOf,
  ): Promise<{ opened: Opened; facts: (TenantFact | null)[] }> {
    const ids = { jobId: randomUUID(), assetId: randomUUID() };
    const row = this.row(id, wish, ids);
    await this.rows.jobs.insert(manager, {
      ...ids,
      tenantId: row.tenantId,
      profile: row.profile,
      priority: row.priority,
      key: wish.key ?? null,
      scans: this.settings.scans,
    });
    const session = await this.rows.sessions.insert(manager, row);
    const fact = await recordFact(manager, ids.jobId, {
      type: 'upload_started',
      durable: true,
      stage: 'uploading',
      progress: percentOf('uploading'),
      bytesReceived: 0,
      bytesTotal: wish.size,
    });
    return { opened: { session, duplicate: false }, facts: [fact] };
  }

  private row(id: string, wish: WishOf, ids: { jobId: string; assetId: string }) {
    return {
      id,
      ...ids,
      tenantId: wish.by.tenantId,
      filename: wish.filename,
      contentType: wish.contentType,
      fileSize: wish.size,
      fileHash: wish.fileHash,
      totalChunks: wish.totalChunks,
      userId: wish.userId,
      userName: wish.userName,
      profile: profileOf(wish, this.settings.profiles),
      options: wish.options,
      priority: wish.priority ?? this.settings.defaultPriority,
      lifetimeSeconds: this.settings.sessionSeconds,
      batchId: wish.batchId ?? null,
    };
  }
}
