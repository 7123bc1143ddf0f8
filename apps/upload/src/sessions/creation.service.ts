import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type CreateSessionData, DEFAULT_TENANT, type TenantFact } from '#contracts';
import { recordFact } from '#events';
import type { EntityManager } from '#persistence';
import { Announcer } from '../announcer.js';
import { checkFilename } from '../files/filename.js';
import { emptyFile, fileTooLarge } from '../files/refusals.js';
import { refuseUnstorable } from '../files/unstorable.js';
import { Journal } from '../journal.js';
import { Rows } from '../rows.js';
import { UploadSettings } from '../settings.js';
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

/** Opens sessions; answers with the finished work where the file is known (S3-08). */
@Injectable()
export class CreationService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(Announcer) private readonly announcer: Announcer,
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

  /** `along` happens in the same transaction, or nothing does. */
  async open(
    wish: Wish,
    id: string = randomUUID(),
    along: (manager: EntityManager, opened: Opened) => Promise<void> = async () => undefined,
  ): Promise<Opened> {
    const filename = this.check(wish);
    refuseUnstorable(wish);
    const { opened, fact } = await this.rows.transaction(async (manager) => {
      if (wish.batchId) await this.rows.batches.join(manager, wish.batchId);
      const known = await this.openKnown(manager, id, { ...wish, filename });
      const result = known ?? (await this.openNew(manager, id, { ...wish, filename }));
      await along(manager, result.opened);
      return result;
    });
    if (opened.duplicate) this.journal.duplicate(opened.session, 'creation');
    else this.journal.opened(opened.session);
    await this.announcer.publish(fact);
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

  private async openKnown(manager: EntityManager, id: string, wish: Wish) {
    if (!this.settings.deduplicate || wish.fileHash === null) return null;
    const profile = wish.profile ?? 'default';
    const known = await this.rows.jobs.adoptKnownFile(manager, {
      tenantId: DEFAULT_TENANT,
      sha256: wish.fileHash,
      profile,
    });
    if (!known) return null;
    await this.rows.sessions.insert(manager, this.row(id, wish, known));
    const session = await this.rows.sessions.completeAsDuplicate(manager, id);
    const fact = await recordFact(manager, known.jobId, {
      type: 'duplicate_detected',
      durable: true,
      message: 'This file is known; its result is served at once.',
      cachedResult: known.result,
    });
    return { opened: { session, duplicate: true }, fact };
  }

  private async openNew(
    manager: EntityManager,
    id: string,
    wish: Wish,
  ): Promise<{ opened: Opened; fact: TenantFact | null }> {
    const ids = { jobId: randomUUID(), assetId: randomUUID() };
    const row = this.row(id, wish, ids);
    await this.rows.jobs.insert(manager, {
      ...ids,
      tenantId: row.tenantId,
      profile: row.profile,
      priority: row.priority,
      key: wish.key ?? null,
    });
    const session = await this.rows.sessions.insert(manager, row);
    const fact = await recordFact(manager, ids.jobId, {
      type: 'upload_started',
      durable: true,
      stage: 'uploading',
      progress: 5,
      bytesReceived: 0,
      bytesTotal: wish.size,
    });
    return { opened: { session, duplicate: false }, fact };
  }

  private row(id: string, wish: Wish, ids: { jobId: string; assetId: string }) {
    return {
      id,
      ...ids,
      tenantId: DEFAULT_TENANT,
      filename: wish.filename,
      contentType: wish.contentType,
      fileSize: wish.size,
      fileHash: wish.fileHash,
      totalChunks: wish.totalChunks,
      userId: wish.userId,
      userName: wish.userName,
      profile: wish.profile ?? 'default',
      options: wish.options,
      priority: wish.priority ?? this.settings.defaultPriority,
      lifetimeSeconds: this.settings.sessionSeconds,
      batchId: wish.batchId ?? null,
    };
  }
}
