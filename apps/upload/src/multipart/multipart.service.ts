import { randomUUID } from 'node:crypto';
import { Inject, Injectable } from '@nestjs/common';
import { type Principal, SluiceError, writesOf } from '#contracts';
import { refuseOtherContent } from '../chunks/chunk.service.js';
import { type ChunkObject, ChunkObjects } from '../chunks/chunk-objects.js';
import { emptyFile } from '../files/refusals.js';
import { Rows } from '../rows.js';
import { CreationService } from '../sessions/creation.service.js';
import { EndingService } from '../sessions/ending.service.js';
import { refuseUnlessActive, type SessionRow } from '../sessions/session-row.js';
import { UploadSettings } from '../settings.js';
import { type FormFields, isChunk, parseFields } from './fields.js';
import { type Form, type FormFile, fileBytes } from './form.js';
import { IndexedChunks } from './indexed-chunks.js';
import { Pieces } from './pieces.js';
import { WholeFiles } from './whole-files.js';

/**
 * The door of S3-01. A form may say only after its file whether this is a whole file or one chunk and
 * of which session, so its first piece (at most a chunk) is stored before that is known; what comes
 * after the first piece can only be a whole file.
 */
@Injectable()
export class MultipartService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(ChunkObjects) private readonly objects: ChunkObjects,
    @Inject(WholeFiles) private readonly wholeFiles: WholeFiles,
    @Inject(IndexedChunks) private readonly indexed: IndexedChunks,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  async receive(form: Form, by: Principal): Promise<SessionRow> {
    const file = await form.file;
    if (!file) {
      const message = `The form has no file; send it in the field named ${form.fileField}.`;
      throw new SluiceError('validation_failed', message);
    }
    try {
      return await this.receiveFile(form, file, by);
    } finally {
      file.stream.destroy();
    }
  }

  private async receiveFile(form: Form, file: FormFile, by: Principal): Promise<SessionRow> {
    this.creation.check({ filename: file.filename, size: null });
    const early = parseEarly(form.fields);
    if (early.sessionId !== null) await this.checkSession(early.sessionId, by);
    const home = early.sessionId ?? by.sessionId ?? randomUUID();
    const pieces = new Pieces(fileBytes(file));
    if (!(await pieces.more())) throw emptyFile();
    const first = await this.objects.put(home, 0, pieces.take(this.settings.maxChunkSize));
    return this.undoing(first, async () => {
      const long = await pieces.more();
      if (long && isChunk(early)) throw this.chunkTooLarge();
      if (long) {
        refuseOtherContent(first);
        return this.wholeFiles.receiveLong(form, file, { id: home, first, pieces, early }, by);
      }
      await form.end;
      const fields = parseFields(form.fields);
      if (isChunk(fields)) return this.indexed.receive(file, fields, { home, object: first }, by);
      refuseOtherContent(first);
      return this.wholeFiles.receiveShort(file, fields, { id: home, first }, by);
    });
  }

  /** A piece that no row has adopted goes when the request is refused. */
  private async undoing<T>(first: ChunkObject, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof SluiceError && !(await this.rows.chunks.isAdopted(this.rows.manager, first.key))) {
        await this.objects.delete(first);
      }
      throw error;
    }
  }

  private async checkSession(id: string, by: Principal): Promise<void> {
    const session = await this.rows.sessions.find(this.rows.manager, id, writesOf(by));
    if (session.overdue) await this.ending.expire(id);
    if (session.status !== 'completed') refuseUnlessActive(session);
  }

  private chunkTooLarge(): SluiceError {
    const maximum = this.settings.maxChunkSize;
    return new SluiceError(
      'chunk_too_large',
      `A chunk may have at most ${maximum} bytes; send smaller ones.`,
      {
        details: { maximum },
      },
    );
  }
}

/** Before the end of the form `chunk_index` may still be on its way. */
function parseEarly(raw: Record<string, string>): FormFields {
  return parseFields(
    raw.session_id || (raw.total_chunks && raw.total_chunks !== '1') ? { chunk_index: '0', ...raw } : raw,
  );
}
