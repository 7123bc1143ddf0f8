import { createHash } from 'node:crypto';
import type { OnApplicationBootstrap, OnModuleDestroy } from '@nestjs/common';
import { EDGE_BYTES, SluiceError } from '#contracts';
import type { Logger } from '#observability';
import type { SourceReader } from '../chunks/source-reader.js';
import type { AnySessionRow, SessionRow } from '../sessions/session-row.js';
import { DIGEST_OWNER, type DigestLeases } from './leases.js';
import { type FileDigest, PrefixDigest } from './prefix.js';
import { Recent } from './recent.js';
import type { DigestThreads } from './threads.js';

/** Files whose digests are on their way in this process; one more, and the one that rested the longest begins again. */
const FILES = 1000;
const LOOK_EVERY_MS = 500;

/**
 * SHA-256 of whole files, along what is confirmed without a gap, on threads of their own. It may lag
 * behind the chunks and never holds them up: it reads them back from the store, where they have just
 * been written, and nobody waits for it but the completion.
 */
export class DigestService implements OnApplicationBootstrap, OnModuleDestroy {
  private readonly prefixes = new Recent<string, PrefixDigest>(FILES, (_, prefix) => prefix.drop());
  private timer: NodeJS.Timeout | undefined;
  private extendedAt = performance.now();
  private stopped = false;
  private completeInBackground: (sessionId: string) => void = () => undefined;

  constructor(
    private readonly source: SourceReader,
    private readonly leases: DigestLeases,
    private readonly threads: DigestThreads,
    private readonly logger: Logger,
  ) {}

  onApplicationBootstrap(): void {
    this.threads.start();
  }

  /** Called for sessions whose last byte another process took, which may be dead by now. */
  onWhole(complete: (sessionId: string) => void): void {
    this.completeInBackground = complete;
  }

  /** A chunk has been adopted; does not keep its answer waiting. The one that ends the file is followed by `of`. */
  follow(session: AnySessionRow): void {
    // A part of a file that tus sends in parts has no digest of its own.
    if (session.jobId === null || session.status !== 'active' || session.bytesReceived === session.fileSize)
      return;
    if (session.digestOwner === DIGEST_OWNER) this.advance(session.id, session.bytesReceived);
    else this.prefixes.drop(session.id);
  }

  /**
   * The digest of a session that has all its bytes. `elsewhere`: another process computes it and
   * completes the session. `changed`: its chunks are others now. Throws `object_not_found` when they go.
   */
  async of(session: SessionRow): Promise<FileDigest | 'elsewhere' | 'changed'> {
    const size = session.fileSize ?? 0;
    const [first] = await this.source.contiguous(session.id, 0, 1);
    if (first?.size === size && size <= 2 * EDGE_BYTES) {
      const fingerprint = createHash('md5').update(first.key).digest('hex');
      return { sha256: first.hash, edges: first.hash, fingerprint };
    }
    if (!(await this.leases.claim(session.id))) return 'elsewhere';
    const prefix = this.prefixOf(session.id);
    try {
      const digest = await prefix.finish(size);
      if (digest) return digest;
    } catch (error) {
      // It made room for others meanwhile, or its thread has ended: it begins again.
      const lost = this.prefixes.get(session.id) !== prefix;
      this.prefixes.drop(session.id);
      if (this.stopped || !lost) throw error;
    }
    this.prefixes.drop(session.id);
    return 'changed';
  }

  /** The session has ended, or its chunks have gone. */
  forget(sessionId: string): void {
    this.prefixes.drop(sessionId);
  }

  async onModuleDestroy(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.timer);
    await this.leases.release(this.prefixes.keys()).catch(() => undefined);
    await this.threads.close();
  }

  private prefixOf(sessionId: string): PrefixDigest {
    const known = this.prefixes.get(sessionId);
    if (known) return known;
    const prefix = new PrefixDigest(sessionId, this.source, this.threads.next());
    this.prefixes.set(sessionId, prefix);
    this.timer ??= setTimeout(() => void this.look(), LOOK_EVERY_MS).unref();
    return prefix;
  }

  private advance(sessionId: string, bytesReceived: number): void {
    const prefix = this.prefixOf(sessionId);
    prefix.bytesSeen = bytesReceived;
    prefix.advance().catch((error: unknown) => {
      if (this.prefixes.get(sessionId) === prefix) this.prefixes.drop(sessionId);
      const expected = error instanceof SluiceError && error.code === 'object_not_found';
      if (!this.stopped && !expected)
        this.logger.warn({ err: error, session_id: sessionId }, 'a digest begins again');
    });
  }

  /** What other processes have done with the sessions whose digests are ours: chunks, completions, ends. */
  private async look(): Promise<void> {
    try {
      const ids = this.prefixes.keys();
      const held = new Map((await this.leases.held(ids)).map((session) => [session.id, session]));
      for (const id of ids) {
        const session = held.get(id);
        if (!session) this.prefixes.drop(id);
        else if (session.whole) this.completeInBackground(id);
        else if (this.prefixes.get(id)?.bytesSeen !== session.bytesReceived)
          this.advance(id, session.bytesReceived);
      }
      if (performance.now() - this.extendedAt > this.leases.extendAfterMs) {
        await this.leases.extend([...held.keys()]);
        this.extendedAt = performance.now();
      }
    } catch (error) {
      if (!this.stopped) this.logger.warn({ err: error }, 'the sessions of digests could not be looked at');
    }
    const more = !this.stopped && this.prefixes.keys().length > 0;
    this.timer = more ? setTimeout(() => void this.look(), LOOK_EVERY_MS).unref() : undefined;
  }
}
