import { Inject, Injectable } from '@nestjs/common';
import { SluiceError } from '#contracts';
import type { EntityManager } from '#persistence';
import { DigestService } from '../digest/digest.service.js';
import { fileTooLarge } from '../files/refusals.js';
import { Rows } from '../rows.js';
import { type AnySessionRow, refuseUnlessActive, type SessionRow } from '../sessions/session-row.js';
import { MAX_CHUNKS_PER_SESSION, UploadSettings } from '../settings.js';
import type { ChunkObject } from './chunk-objects.js';
import type { ChunkRow } from './chunks.repository.js';
import {
  findSame,
  type IndexedPlace,
  PROVISIONAL_OFFSET,
  placeByIndex,
  refuseOverlaps,
  sameOrConflict,
} from './placement.js';

export interface Adoption<S extends AnySessionRow = SessionRow> {
  session: S;
  chunk: ChunkRow;
  /** False: these bytes had been confirmed before, and the object is not needed. */
  written: boolean;
}

type Bytes = Pick<ChunkObject, 'size' | 'sha256'>;

/** The moment at which a stored object becomes part of a file: its row, under the session's lock. */
@Injectable()
export class AdoptionService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(DigestService) private readonly digests: DigestService,
    @Inject(UploadSettings) private readonly settings: UploadSettings,
  ) {}

  /** `writer`: the fencing number of a tus request; when another one has taken over, nothing is adopted. */
  async atOffset(sessionId: string, offset: number, object: ChunkObject, writer?: number): Promise<Adoption> {
    return this.under((manager) => this.rows.sessions.lock(manager, sessionId), offset, object, writer);
  }

  /** The same for a session that `lock` finds and locks. */
  async under<S extends AnySessionRow>(
    lock: (manager: EntityManager) => Promise<S>,
    offset: number,
    object: ChunkObject,
    writer?: number,
  ): Promise<Adoption<S>> {
    return this.adopt(async (manager) => {
      const session = await lock(manager);
      if (writer !== undefined && session.writer !== writer) throw takenOver();
      const same = await this.inspect(manager, session, offset, object);
      if (same) return { session, chunk: same, written: false };
      return this.insert(manager, session, { index: null, offset, object });
    });
  }

  async atIndex(
    sessionId: string,
    index: number,
    total: number | null,
    object: ChunkObject,
  ): Promise<Adoption> {
    return this.adopt(async (manager) => {
      const session = await this.rows.sessions.lock(manager, sessionId);
      if (session.status !== 'completed') refuseUnlessActive(session);
      const before = await this.rows.chunks.byIndex(manager, sessionId, index);
      if (before) return { session, chunk: sameOrConflict(before, object), written: false };
      const offset = index * (session.chunkSize ?? object.size);
      const unneeded = await this.unneeded(manager, session, { index, offset, ...object });
      if (unneeded) return { session, chunk: unneeded, written: false };
      refuseUnlessActive(session);
      if (session.fileSize === null && session.totalChunks === null) throw otherWay('byte offset');
      const place = await this.place(manager, session, { index, total, size: object.size });
      if (place.moveLastTo !== null)
        await this.rows.chunks.move(manager, sessionId, place.total - 1, place.moveLastTo);
      if (place.offset !== PROVISIONAL_OFFSET) {
        refuseOverlaps(await this.overlapping(manager, sessionId, place.offset, object.size));
      }
      return this.insert(manager, session, { index, offset: place.offset, object, place });
    });
  }

  /**
   * What the rows say about these bytes before they are read, and again when they are adopted: the
   * same chunk, or null where there is room.
   */
  async inspect(
    manager: EntityManager,
    session: AnySessionRow,
    offset: number,
    bytes: Bytes,
  ): Promise<ChunkRow | null> {
    if (session.status !== 'completed') refuseUnlessActive(session);
    if (session.status === 'active' && session.fileSize === null && session.totalChunks !== null)
      throw otherWay('index');
    const end = offset + bytes.size;
    if (session.fileSize !== null && end > session.fileSize) {
      throw new SluiceError(
        'chunk_out_of_range',
        `The file has ${session.fileSize} bytes; send what lies inside of it.`,
        {
          details: { size: session.fileSize },
        },
      );
    }
    if (end > this.settings.maxFileSize) throw fileTooLarge(this.settings.maxFileSize);
    const same = findSame(await this.overlapping(manager, session.id, offset, bytes.size), {
      ...bytes,
      offset,
    });
    if (same) return same;
    const unneeded = await this.unneeded(manager, session, { index: null, offset, ...bytes });
    if (!unneeded) refuseUnlessActive(session);
    return unneeded;
  }

  /** Of a file that turned out to be known the chunks have gone; a client that sends one again has missed the answer. */
  private async unneeded(
    manager: EntityManager,
    session: AnySessionRow,
    { index, offset, size, sha256 }: Bytes & Pick<ChunkRow, 'index' | 'offset'>,
  ): Promise<ChunkRow | null> {
    if (session.status !== 'completed' || !(await this.rows.chunks.isEmpty(manager, session.id))) return null;
    return { index, offset, size, hash: sha256, key: '' };
  }

  private async adopt<S extends AnySessionRow>(
    work: (manager: EntityManager) => Promise<Adoption<S>>,
  ): Promise<Adoption<S>> {
    const adoption = await this.rows.transaction(work);
    if (adoption.written) this.digests.follow(adoption.session);
    return adoption;
  }

  private async place(
    manager: EntityManager,
    session: SessionRow,
    chunk: { index: number; total: number | null; size: number },
  ): Promise<IndexedPlace> {
    const total = session.totalChunks ?? chunk.total ?? 0;
    const last = await this.rows.chunks.byIndex(manager, session.id, total - 1);
    return placeByIndex(session, chunk, last, this.settings.maxFileSize);
  }

  private overlapping(
    manager: EntityManager,
    sessionId: string,
    offset: number,
    size: number,
  ): Promise<ChunkRow[]> {
    return this.rows.chunks.overlapping(manager, sessionId, offset, offset + size);
  }

  private async insert<S extends AnySessionRow>(
    manager: EntityManager,
    before: S,
    {
      index,
      offset,
      object,
      place,
    }: { index: number | null; offset: number; object: ChunkObject; place?: IndexedPlace },
  ): Promise<Adoption<S>> {
    if (before.chunksReceived >= MAX_CHUNKS_PER_SESSION) {
      throw new SluiceError(
        'validation_failed',
        `A file may have ${MAX_CHUNKS_PER_SESSION} chunks; send larger ones.`,
      );
    }
    const chunk: ChunkRow = { offset, index, size: object.size, hash: object.sha256, key: object.key };
    await this.rows.chunks.insert(manager, before.id, before.tenantId, chunk);
    const session = await this.rows.sessions.adopt(manager, before, {
      bytes: object.size,
      chunkSize: place?.chunkSize ?? null,
      totalChunks: place?.total ?? null,
      fileSize: place?.fileSize ?? null,
      digestLeaseSeconds: this.settings.leaseSeconds,
    });
    return { session, chunk, written: true };
  }
}

/** Until the size is known, what one way puts down could lie beyond the end that the other one finds. */
const otherWay = (way: string) =>
  new SluiceError(
    'validation_failed',
    `The size of this file is not known yet and its chunks are sent by ${way}; send this one in the same way.`,
  );

/** Also what a request is told that was asked to let go of its upload. */
export const takenOver = () =>
  new SluiceError(
    'upload_taken_over',
    'Another request has taken this upload over; ask for the offset and go on from there.',
  );
