import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { chunkPrefix, type Principal, SluiceError } from '#contracts';
import type { ObjectStore } from '#storage';
import { admitUpload } from '#work';
import { fileTooLarge } from '../files/refusals.js';
import { Rows } from '../rows.js';
import { STORE, UploadSettings } from '../settings.js';
import { type UploadRow, UploadsRepository } from './uploads.repository.js';

/** Parts that a client will put together later: bytes that belong to no file, no job and no asset yet. */
@Injectable()
export class PartialsService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  async open(size: number | null, by: Principal): Promise<UploadRow> {
    if (by.kind === 'token')
      throw new SluiceError(
        'upload_not_allowed',
        'An upload token is for one upload; send the file in one part.',
      );
    if ((size ?? 0) > this.settings.maxFileSize) throw fileTooLarge(this.settings.maxFileSize);
    return this.rows.transaction(async (manager) => {
      await admitUpload(manager, this.settings.quotas, by.tenantId, size);
      return this.uploads.insertPartial(manager, {
        ...{ id: randomUUID(), tenantId: by.tenantId, size },
        lifetimeSeconds: this.settings.sessionSeconds,
      });
    });
  }

  async cancel(id: string): Promise<void> {
    await this.end(id, 'cancelled', ({ status }) => status === 'active' || status === 'completed');
  }

  /** Does nothing unless the upload is really past its time. */
  async expire(id: string): Promise<void> {
    await this.end(id, 'expired', ({ overdue }) => overdue);
  }

  /** Ends one that is overdue; false when there is none. */
  async expireNext(): Promise<boolean> {
    const ended = await this.rows.transaction(async (manager) => {
      const upload = await this.uploads.lockOverduePartial(manager);
      if (!upload) return null;
      await this.rows.chunks.deleteAll(manager, upload.id);
      await this.uploads.endPartial(manager, upload.id, 'expired');
      return upload;
    });
    if (ended) await this.store.deletePrefix(chunkPrefix(ended.id));
    return ended !== null;
  }

  private async end(
    id: string,
    status: 'cancelled' | 'expired',
    applies: (upload: UploadRow) => boolean,
  ): Promise<void> {
    const ended = await this.rows.transaction(async (manager) => {
      const upload = await this.uploads.lock(manager, id);
      if (!applies(upload)) return false;
      await this.rows.chunks.deleteAll(manager, id);
      await this.uploads.endPartial(manager, id, status);
      // The objects of one that was put together belong to the final upload, though they have its name.
      return upload.finalId === null;
    });
    if (ended) await this.store.deletePrefix(chunkPrefix(id));
  }
}
