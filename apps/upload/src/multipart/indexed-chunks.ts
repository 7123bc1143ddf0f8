import { Inject, Injectable } from '@nestjs/common';
import { type Principal, SluiceError, writesOf } from '#contracts';
import { ChunkService } from '../chunks/chunk.service.js';
import { type ChunkObject, ChunkObjects } from '../chunks/chunk-objects.js';
import { placeByIndex } from '../chunks/placement.js';
import { Rows } from '../rows.js';
import { CreationService } from '../sessions/creation.service.js';
import { EndingService } from '../sessions/ending.service.js';
import { openNew } from '../sessions/granted.js';
import type { SessionRow } from '../sessions/session-row.js';
import { UploadSettings } from '../settings.js';
import type { FormFields } from './fields.js';
import type { FormFile } from './form.js';

/** One chunk by its index; the first of a file may open the session. */
@Injectable()
export class IndexedChunks {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(ChunkService) private readonly chunks: ChunkService,
    @Inject(ChunkObjects) private readonly objects: ChunkObjects,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  /** `home` is the session under whose folder the object was stored before all fields were known. */
  async receive(
    file: FormFile,
    fields: FormFields,
    { home, object }: { home: string; object: ChunkObject },
    by: Principal,
  ): Promise<SessionRow> {
    const place = { index: fields.chunkIndex ?? 0, total: fields.totalChunks };
    if (fields.sessionId === null) return this.openWith(file, fields, { id: home, place, object }, by);
    // The form may have named it only after its file.
    await this.rows.sessions.find(this.rows.manager, fields.sessionId, writesOf(by));
    const moved = fields.sessionId === home ? object : await this.objects.move(object, fields.sessionId, 0);
    return (await this.chunks.adopt(fields.sessionId, place, moved)).session;
  }

  private async openWith(
    file: FormFile,
    fields: FormFields,
    {
      id,
      place,
      object,
    }: { id: string; place: { index: number; total: number | null }; object: ChunkObject },
    by: Principal,
  ): Promise<SessionRow> {
    placeByIndex(
      { fileSize: null, totalChunks: null, chunkSize: null },
      { ...place, size: object.size },
      null,
      this.settings.maxFileSize,
    );
    const wish = {
      filename: file.filename,
      size: null,
      contentType: file.contentType,
      fileHash: fields.fileHash,
      totalChunks: place.total,
      priority: fields.priority,
      profile: null,
      options: fields.options,
      userId: null,
      userName: null,
      batchId: fields.batchId,
    };
    const opened = await openNew(() => this.creation.open(wish, by, id));
    if (opened.duplicate) {
      await this.objects.delete(object);
      return opened.session;
    }
    try {
      return (await this.chunks.adopt(id, place, object)).session;
    } catch (error) {
      // Nobody knows the session's id yet, so nobody could go on with it.
      if (error instanceof SluiceError) await this.ending.refuse(id, error);
      throw error;
    }
  }
}
