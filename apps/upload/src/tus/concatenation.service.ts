import { Inject, Injectable } from '@nestjs/common';
import { ANYBODYS, type Principal, SluiceError, writesOf } from '#contracts';
import type { EntityManager } from '#persistence';
import { SourceReader } from '../chunks/source-reader.js';
import { Rows } from '../rows.js';
import { CompletionService } from '../sessions/completion.service.js';
import { CreationService, type Opened, type Wish } from '../sessions/creation.service.js';
import { EndingService } from '../sessions/ending.service.js';
import { allThere, refuseUnlessActive, type SessionRow } from '../sessions/session-row.js';
import { MAX_CHUNKS_PER_SESSION } from '../settings.js';
import { type UploadRow, UploadsRepository } from './uploads.repository.js';

export interface FinalWish {
  wish: Omit<Wish, 'size'>;
  /** In the order of the file. */
  partials: string[];
  said: { metadata: string; concat: string };
  by: Principal;
}

/**
 * A final upload takes the chunk rows of its partial ones, so that nothing is copied; the objects keep
 * their keys. Asked again (its answer was lost) it is the one that there is.
 */
@Injectable()
export class ConcatenationService {
  constructor(
    @Inject(Rows) private readonly rows: Rows,
    @Inject(UploadsRepository) private readonly uploads: UploadsRepository,
    @Inject(CreationService) private readonly creation: CreationService,
    @Inject(CompletionService) private readonly completion: CompletionService,
    @Inject(EndingService) private readonly ending: EndingService,
    @Inject(SourceReader) private readonly source: SourceReader,
  ) {}

  async open({ wish, partials, said, by }: FinalWish): Promise<SessionRow> {
    const before = inOrder(await this.uploads.partials(this.rows.manager, partials, writesOf(by)), partials);
    const existing = await this.existing(before, said.concat);
    if (existing) return existing;
    const size = before.reduce((sum, partial) => sum + (partial.fileSize ?? 0), 0);
    for (const partial of before) refuseUnlessWhole(partial);
    let unneeded: string[] = [];
    const { session, duplicate } = await this.creation.open(
      { ...wish, size },
      by,
      undefined,
      async (manager, opened) => {
        await this.uploads.describe(manager, opened.session.id, said);
        unneeded = await this.join(manager, opened, { partials, by });
      },
      { isAdmitted: true },
    );
    await this.source.deleteObjects(unneeded);
    return duplicate ? session : this.complete(session.id);
  }

  /** Answers with the objects that a file which is known already does not need. */
  private async join(
    manager: EntityManager,
    { session, duplicate }: Opened,
    { partials: ids, by }: Pick<FinalWish, 'partials' | 'by'>,
  ): Promise<string[]> {
    const partials = inOrder(await this.uploads.lockPartials(manager, ids, writesOf(by)), ids);
    for (const partial of partials) refuseUnlessWhole(partial);
    if (partials.reduce((sum, { chunksReceived }) => sum + chunksReceived, 0) > MAX_CHUNKS_PER_SESSION) {
      throw new SluiceError(
        'validation_failed',
        `A file may have ${MAX_CHUNKS_PER_SESSION} chunks; send larger ones.`,
      );
    }
    if (!duplicate) {
      let from = 0;
      const places = partials.map(({ id, bytesReceived }) => {
        from += bytesReceived;
        return { id, from: from - bytesReceived };
      });
      await this.uploads.concatenate(manager, session.id, places);
      return [];
    }
    const unneeded: string[] = [];
    for (const { id } of partials) unneeded.push(...(await this.rows.chunks.deleteAll(manager, id)));
    await this.uploads.consume(manager, session.id, ids);
    return unneeded;
  }

  /** What a final upload holds can not be sent again: a promise that it breaks ends it. */
  private async complete(id: string): Promise<SessionRow> {
    try {
      return await this.completion.complete(id);
    } catch (error) {
      if (error instanceof SluiceError && error.code === 'file_hash_mismatch')
        await this.ending.refuse(id, error);
      throw error;
    }
  }

  /** The final upload that took exactly these, in this order. */
  private async existing(partials: UploadRow[], concat: string): Promise<SessionRow | null> {
    const finalId = partials[0]?.finalId ?? null;
    if (finalId === null || partials.some((partial) => partial.finalId !== finalId)) return null;
    const final = await this.uploads.find(this.rows.manager, finalId, ANYBODYS);
    if (final.concat !== concat) return null;
    const session = await this.rows.sessions.find(this.rows.manager, finalId, ANYBODYS);
    return session.status === 'active' && allThere(session) ? this.complete(finalId) : session;
  }
}

function inOrder(rows: UploadRow[], ids: string[]): UploadRow[] {
  const byId = new Map(rows.map((row) => [row.id, row]));
  return ids.map((id) => {
    const row = byId.get(id);
    if (row) return row;
    throw new SluiceError('session_not_found', 'One of the partial uploads is not there; send it first.');
  });
}

function refuseUnlessWhole(partial: UploadRow): void {
  refuseUnlessActive(partial);
  if (allThere(partial)) return;
  throw new SluiceError(
    'missing_chunks',
    'Not all bytes of the partial uploads have arrived; send the rest, then put them together.',
    { details: { id: partial.id, bytes_received: partial.bytesReceived, size: partial.fileSize } },
  );
}
