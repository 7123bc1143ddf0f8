import { Inject, Injectable } from '@nestjs/common';
import { type Principal, SluiceError } from '#contracts';
import { ChunkService } from '../chunks/chunk.service.js';
import { type ChunkObject, ChunkObjects } from '../chunks/chunk-objects.js';
import { profileOf } from '../files/profile.js';
import { fileTooLarge } from '../files/refusals.js';
import { refuseUnstorable } from '../files/unstorable.js';
import { Rows } from '../rows.js';
import { CompletionService } from '../sessions/completion.service.js';
import { CreationService, type Opened } from '../sessions/creation.service.js';
import { EndingService } from '../sessions/ending.service.js';
import { granted, openNew } from '../sessions/granted.js';
import type { SessionRow } from '../sessions/session-row.js';
import { UploadSettings } from '../settings.js';
import { type FormFields, isChunk, parseFields } from './fields.js';
import type { Form, FormFile } from './form.js';
import type { Pieces } from './pieces.js';

export interface LongFile {
  id: string;
  first: ChunkObject;
  pieces: Pieces;
  early: FormFields;
}

/** A whole file in one request, cut into chunk objects while it streams. */
@Injectable()
export class WholeFiles {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(ChunkService) private readonly chunks: ChunkService,
    @Inject(ChunkObjects) private readonly objects: ChunkObjects,
    @Inject(CompletionService) private readonly completion: CompletionService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  /** All of it is in one piece, and all fields are known. */
  async receiveShort(
    file: FormFile,
    fields: FormFields,
    { id, first }: { id: string; first: ChunkObject },
    by: Principal,
  ): Promise<SessionRow> {
    const opened = await this.open(id, file, fields, { size: first.size, by });
    if (opened.duplicate) {
      await this.objects.delete(first);
      return opened.session;
    }
    return this.orRefuse(id, async () => (await this.chunks.adopt(id, { offset: 0 }, first)).session);
  }

  /** The size and perhaps some fields are known at the end. Whatever goes wrong ends the session: its id is not known to anyone. */
  async receiveLong(
    form: Form,
    file: FormFile,
    { id, first, pieces, early }: LongFile,
    by: Principal,
  ): Promise<SessionRow> {
    const opened = await this.open(id, file, early, { size: null, by });
    if (opened.duplicate) {
      await this.objects.delete(first);
      file.stream.resume();
      await form.end;
      return opened.session;
    }
    return this.orRefuse(id, async () => {
      await this.chunks.adopt(id, { offset: 0 }, first);
      const size = await this.storeRest(id, first.size, pieces);
      await form.end;
      await this.describe(id, size, parseFields(form.fields), by);
      return this.completion.complete(id);
    });
  }

  private async storeRest(id: string, from: number, pieces: Pieces): Promise<number> {
    let offset = from;
    while (await pieces.more()) {
      const room = this.settings.maxFileSize - offset;
      if (room <= 0) throw fileTooLarge(this.settings.maxFileSize);
      const object = await this.objects.put(
        id,
        offset,
        pieces.take(Math.min(this.settings.maxChunkSize, room)),
      );
      await this.chunks.adopt(id, { offset }, object);
      offset += object.size;
    }
    return offset;
  }

  private async describe(id: string, fileSize: number, late: FormFields, by: Principal): Promise<void> {
    granted({ size: fileSize, batchId: late.batchId }, by);
    if (isChunk(late)) {
      throw new SluiceError(
        'chunk_too_large',
        `A chunk may have at most ${this.settings.maxChunkSize} bytes; send smaller ones.`,
      );
    }
    refuseUnstorable(late.options);
    const priority = late.priority ?? this.settings.defaultPriority;
    await this.rows.transaction(async (manager) => {
      if (late.batchId !== null) await this.rows.batches.join(manager, late.batchId, by.tenantId);
      const session = await this.rows.sessions.lock(manager, id);
      if (session.status !== 'active') return;
      if (profileOf({ profile: null, options: late.options }, this.settings.profiles) !== session.profile)
        throw choiceTooLate();
      await this.rows.sessions.describe(manager, id, {
        fileSize,
        fileHash: late.fileHash,
        options: late.options,
        priority,
        batchId: late.batchId,
      });
      await this.rows.jobs.describe(manager, session.jobId, { priority, key: late.key });
    });
  }

  private open(
    id: string,
    file: FormFile,
    fields: FormFields,
    { size, by }: { size: number | null; by: Principal },
  ): Promise<Opened> {
    const { fileHash, priority, options, batchId, key } = fields;
    const wish = {
      ...{
        filename: file.filename,
        size,
        contentType: file.contentType,
        fileHash,
        totalChunks: null,
        priority,
      },
      ...{ profile: null, options, userId: null, userName: null, batchId, key },
    };
    return openNew(() => this.creation.open(wish, by, id));
  }

  private async orRefuse(id: string, work: () => Promise<SessionRow>): Promise<SessionRow> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SluiceError) await this.ending.refuse(id, error);
      throw error;
    }
  }
}

const choiceTooLate = () =>
  new SluiceError(
    'invalid_options',
    'What is to be made of a file must be known before it comes; put the field options before the file in the form.',
  );
