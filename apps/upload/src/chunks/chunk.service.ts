import { Inject, Injectable } from '@nestjs/common';
import { type Reach, SluiceError } from '#contracts';
import { HEAD_BYTES, refuseUnlessVideo, sniff } from '../files/sniff.js';
import { Rows } from '../rows.js';
import { CompletionService, fileHashMismatch } from '../sessions/completion.service.js';
import { EndingService } from '../sessions/ending.service.js';
import { allThere } from '../sessions/session-row.js';
import { type Adoption, AdoptionService } from './adoption.service.js';
import { Arrivals } from './arrivals.js';
import { countChunk, countLoss } from './chunk-counts.js';
import { type ChunkObject, ChunkObjects } from './chunk-objects.js';
import type { ChunkRow } from './chunks.repository.js';
import { ProgressService } from './progress.service.js';
import { SourceReader } from './source-reader.js';

export interface AnnouncedBytes {
  /** Bytes. */
  size: number;
  sha256: string;
  bytes: AsyncIterable<Buffer>;
}

/** `writer`: see AdoptionService.atOffset. */
export type Place = { offset: number; writer?: number } | { index: number; total: number | null };

/** One chunk on its way: checked, stored, adopted; the last one completes the file. */
@Injectable()
export class ChunkService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(ChunkObjects) private readonly objects: ChunkObjects,
    @Inject(AdoptionService) private readonly adoption: AdoptionService,
    @Inject(CompletionService) private readonly completion: CompletionService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(SourceReader) private readonly source: SourceReader,
    @Inject(ProgressService) private readonly progress: ProgressService,
    @Inject(Arrivals) private readonly arrivals: Arrivals,
  ) {}

  /** What can be refused, or is there already, is found before a byte is read. */
  async receive(
    sessionId: string,
    offset: number,
    announced: AnnouncedBytes,
    reach: Reach,
  ): Promise<Adoption> {
    const session = await this.rows.sessions.find(this.rows.manager, sessionId, reach);
    let same: ChunkRow | null;
    try {
      same = await this.adoption.inspect(this.rows.manager, session, offset, announced);
    } catch (error) {
      countLoss(error);
      await this.ending.settle(sessionId, error);
      throw error;
    }
    if (same) {
      countChunk(announced.size, false);
      return this.finish({ session, chunk: same, written: false });
    }
    const object = await this.objects.put(sessionId, offset, announced.bytes, announced);
    return this.adopt(sessionId, { offset }, object);
  }

  /** The object is adopted, or deleted. */
  async adopt(sessionId: string, place: Place, object: ChunkObject): Promise<Adoption> {
    let adoption: Adoption;
    try {
      if (isFirst(place)) refuseOtherContent(object);
      adoption =
        'offset' in place
          ? await this.adoption.atOffset(sessionId, place.offset, object, place.writer)
          : await this.adoption.atIndex(sessionId, place.index, place.total, object);
    } catch (error) {
      countLoss(error);
      // After an unknown error the row may have been committed: then only the sweeper may decide.
      if (error instanceof SluiceError) await this.objects.delete(object);
      await this.ending.settle(sessionId, error);
      throw error;
    }
    countChunk(object.size, adoption.written);
    if (adoption.written) {
      this.progress.report(adoption.session);
      await this.refuseOtherHead(adoption, object);
      this.arrivals.report(adoption.session);
    } else if (adoption.chunk.key !== object.key) await this.objects.delete(object);
    return this.finish(adoption);
  }

  /** Of chunks that are too short to say by themselves: as soon as enough of them lie side by side. */
  private async refuseOtherHead({ session, chunk }: Adoption, object: ChunkObject): Promise<void> {
    if (chunk.offset >= HEAD_BYTES || allThere(session)) return;
    if (chunk.offset === 0 && sniff(object.head) !== 'short') return;
    // What can not be read now is looked at again when the file is complete.
    const verdict = sniff(await this.source.head(session.id).catch(() => Buffer.alloc(0)));
    if (verdict !== 'other') return;
    try {
      refuseUnlessVideo(verdict);
    } catch (error) {
      await this.ending.settle(session.id, error);
      throw error;
    }
  }

  /** A process may have died between the last byte and the completion: the next to see it completes. */
  private async finish(adoption: Adoption): Promise<Adoption> {
    if (adoption.session.status !== 'active' || !allThere(adoption.session)) return adoption;
    try {
      return { ...adoption, session: await this.completion.complete(adoption.session.id) };
    } catch (error) {
      // Whoever completed at the same time found the promise broken, and this chunk was dropped with the rest.
      if (!(error instanceof SluiceError) || error.code !== 'missing_chunks') throw error;
      throw fileHashMismatch(adoption.session.fileHash, null);
    }
  }
}

const isFirst = (place: Place) => ('offset' in place ? place.offset : place.index) === 0;

/** By the verified bytes, so that a chunk that broke on its way is not taken for another kind of file. */
export function refuseOtherContent(object: ChunkObject): void {
  const verdict = sniff(object.head);
  if (verdict === 'other') refuseUnlessVideo(verdict);
}
