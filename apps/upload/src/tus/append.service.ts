import { Inject, Injectable } from '@nestjs/common';
import { SluiceError } from '#contracts';
import { AdoptionService } from '../chunks/adoption.service.js';
import { ChunkService } from '../chunks/chunk.service.js';
import { type ChunkObject, ChunkObjects } from '../chunks/chunk-objects.js';
import { fileTooLarge } from '../files/refusals.js';
import { Pieces } from '../multipart/pieces.js';
import { UploadSettings } from '../settings.js';
import { Arriving } from './arriving.js';
import type { Checksum } from './checksum.js';
import { Piece } from './piece.js';
import { beyondLength } from './refusals.js';
import { isPartial, type UploadRow, UploadsRepository } from './uploads.repository.js';
import type { Hold } from './writers.service.js';

interface Held {
  offset: number;
  object: ChunkObject;
}

export interface Sent {
  bytes: AsyncIterable<Buffer>;
  offset: number;
  checksum: Checksum | null;
}

/**
 * The body of a request becomes chunks of the upload. It is cut into pieces of at most a chunk, so that
 * nothing here is sized by the input. "The Server SHOULD always attempt to store as much of the
 * received data as possible": each piece counts as soon as it is whole, and the last one may end where
 * the connection broke. With a checksum nothing counts before all of it matched.
 */
@Injectable()
export class AppendService {
  constructor(
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(ChunkObjects) private readonly objects: ChunkObjects,
    @Inject(ChunkService) private readonly chunks: ChunkService,
    @Inject(AdoptionService) private readonly adoption: AdoptionService,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  /** Answers with the new offset. Throws why the body ended early, after what came of it was kept. */
  async append(hold: Hold, { bytes, offset, checksum }: Sent): Promise<number> {
    const failed = new AbortController();
    const arriving = new Arriving(bytes, AbortSignal.any([hold.signal, failed.signal]));
    const pieces = new Pieces(checksum ? checksum.over(arriving) : arriving);
    const held: Held[] = [];
    let end = offset;
    let behind: Promise<void> = Promise.resolve();
    try {
      while (await pieces.more()) {
        const limit = Math.min(this.settings.maxChunkSize, this.room(hold.upload, end));
        const piece = new Piece(pieces.take(limit));
        const stored = this.objects.put(hold.upload.id, end, piece);
        await Promise.race([piece.taken, stored]);
        const [at, before] = [end, behind];
        end += piece.size;
        if (end === hold.upload.fileSize && (await pieces.more())) {
          await this.follow(before, stored, async (object) => void held.push({ offset: at, object }));
          throw beyondLength(end);
        }
        // While it is made durable and adopted, the next one flows; never more than these two.
        behind = this.follow(before, stored, async (object) => {
          held.push({ offset: at, object });
          if (!checksum) await this.adoptAll(hold, held);
        });
        behind.catch((error: unknown) => failed.abort(error));
        await before;
      }
      await behind;
      if (checksum && arriving.cut === null) {
        checksum.verify();
        await this.adoptAll(hold, held);
      }
    } catch (error) {
      // Whoever asked waits for this request to end; what else it met matters to nobody.
      throw hold.signal.aborted ? hold.signal.reason : error;
    } finally {
      await behind.catch(() => undefined);
      await pieces.close();
      for (const { object } of held) await this.objects.delete(object);
    }
    if (arriving.cut !== null) throw arriving.cut;
    return end;
  }

  /** One piece after the other: an object after one that failed is not wanted. */
  private async follow(
    before: Promise<void>,
    stored: Promise<ChunkObject>,
    then: (object: ChunkObject) => Promise<void>,
  ): Promise<void> {
    const [earlier, own] = await Promise.allSettled([before, stored]);
    if (own.status === 'rejected') throw earlier.status === 'rejected' ? earlier.reason : own.reason;
    if (earlier.status === 'rejected') {
      await this.objects.delete(own.value);
      throw earlier.reason;
    }
    await then(own.value);
  }

  /** Takes from the list what rows name now, or what its adoption has dealt with otherwise. */
  private async adoptAll({ upload }: Hold, held: Held[]): Promise<void> {
    for (let next = held.shift(); next; next = held.shift()) {
      const { offset, object } = next;
      if (isPartial(upload)) await this.adoptPart(upload, next);
      else await this.chunks.adopt(upload.id, { offset, writer: upload.writer }, object);
    }
  }

  /** A part of a file is no file: nothing is sniffed, told or completed. */
  private async adoptPart({ id, writer }: UploadRow, { offset, object }: Held): Promise<void> {
    try {
      await this.adoption.under((manager) => this.uploads.lock(manager, id), offset, object, writer);
    } catch (error) {
      // After an unknown error the row may have been committed: then only the sweeper may decide.
      if (error instanceof SluiceError) await this.objects.delete(object);
      throw error;
    }
  }

  private room({ fileSize }: UploadRow, offset: number): number {
    const room = (fileSize ?? this.settings.maxFileSize) - offset;
    if (room > 0) return room;
    throw fileSize === null ? fileTooLarge(this.settings.maxFileSize) : beyondLength(fileSize);
  }
}
