import type { OnModuleDestroy } from '@nestjs/common';
import { SluiceError } from '#contracts';
import type { Logger } from '#observability';
import { NO_CHUNKS } from '../chunks/chunks.repository.js';
import type { SourceReader } from '../chunks/source-reader.js';
import type { Rows } from '../rows.js';
import type { SessionRow } from '../sessions/session-row.js';
import type { DigestThreads } from './threads.js';

/** SHA-256 of whole files from their chunks, on threads of their own, so that requests go on being answered. */
export class DigestService implements OnModuleDestroy {
  private readonly running = new Map<string, Promise<string>>();

  constructor(
    private readonly rows: Rows,
    private readonly source: SourceReader,
    private readonly threads: DigestThreads,
    private readonly logger: Logger,
  ) {}

  /** Lower-case hex. Who asks while it is being computed gets the same one. Throws `object_not_found` when chunks go. */
  compute(sessionId: string): Promise<string> {
    const running = this.running.get(sessionId);
    if (running) return running;
    const digest = this.read(sessionId).finally(() => this.running.delete(sessionId));
    this.running.set(sessionId, digest);
    return digest;
  }

  /** In the background, for a completed session that promised no hash. Lost with the process: the sweeper asks again. */
  fillIn(session: Pick<SessionRow, 'id'>): void {
    this.store(session.id).catch((error: unknown) => {
      if (!this.threads.isClosed) {
        this.logger.warn({ err: error, session_id: session.id }, 'the digest is not known yet');
      }
    });
  }

  async onModuleDestroy(): Promise<void> {
    await this.threads.close();
  }

  private async store(sessionId: string): Promise<void> {
    const before = await this.rows.chunks.fingerprint(this.rows.manager, sessionId);
    if (before === NO_CHUNKS) return;
    const sha256 = await this.compute(sessionId);
    await this.rows.transaction(async (manager) => {
      const session = await this.rows.sessions.lock(manager, sessionId);
      // Chunks may be cleaned up while they are read; a digest of what was left would make dedup serve another file.
      if (
        session.status !== 'completed' ||
        (await this.rows.chunks.fingerprint(manager, sessionId)) !== before
      )
        return;
      await this.rows.sessions.setDigest(manager, sessionId, sha256);
      await this.rows.jobs.setDigest(manager, session.assetId, sha256);
    });
  }

  private read(sessionId: string): Promise<string> {
    return this.threads.use(async (ask) => {
      for await (const page of this.source.pages(sessionId))
        await ask({ keys: page.map((chunk) => chunk.key) });
      const answer = await ask({ keys: null });
      if ('sha256' in answer) return answer.sha256;
      throw new SluiceError('internal', 'The digest of this file could not be computed; try again.');
    });
  }
}
