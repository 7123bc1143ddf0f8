import { Inject, Injectable } from '@nestjs/common';
import { finishedPlayback, type NamedPlayback, type TenantFact } from '#contracts';
import { recordFact } from '#events';
import type { EntityManager } from '#persistence';
import { dropDerived, lockFile, urgeShared } from '#work';
import { UploadSettings } from '../settings.js';

/** What two files must have in common to share an asset: never the hash alone, which says nothing of whose it is. */
export interface FileIdentity {
  tenantId: string;
  profile: string;
  sha256: string;
  /** Bytes; null: not said. */
  size: number | null;
}

/** An asset that another session shares, and the job that makes it; of a finished one the job's row may be gone (S1-06). */
export interface KnownWork {
  jobId: string | null;
  assetId: string;
  completed: boolean;
  result: NamedPlayback | null;
}

/** Somebody ended it while we waited for its lock: another look finds what there is now. */
const LOOKS = 5;

/** Dedup (S3-08): one asset, and one encode, for the same file of one tenant and profile. */
@Injectable()
export class SharedWork {
  constructor(@Inject(UploadSettings) private readonly settings: UploadSettings) {}

  /**
   * The ready asset of this file, or the one that is being made, with one more reference and its job
   * locked; then the caller's own job `mine` is locked, too. Null: there is none, and until the caller
   * commits nobody else is told so. Locks: the file (advisory), the known job, `mine`, the asset.
   */
  async find(manager: EntityManager, file: FileIdentity, mine: string | null): Promise<KnownWork | null> {
    if (!this.settings.deduplicate) return null;
    await lockFile(manager, file);
    for (let look = 0; look < LOOKS; look += 1) {
      const known = await this.lockKnown(manager, file, mine);
      if (known === null) return null;
      if (known === 'gone') continue;
      if (mine !== null) await manager.query('SELECT 1 FROM jobs WHERE id = $1 FOR UPDATE', [mine]);
      const [adopted] = (await manager.query(
        `UPDATE assets SET refs = refs + 1, updated_at = now() WHERE id = $1 AND status = $2 RETURNING id`,
        [known.assetId, known.completed ? 'ready' : 'provisional'],
      )) as [unknown[], number];
      if (adopted.length === 1) return known;
    }
    return null;
  }

  /** The job of a session that has all its bytes, or needs none, ends with the known one, or waits for its end and its verdict. */
  async join(
    manager: EntityManager,
    mine: { sessionId: string; jobId: string; assetId: string },
    known: KnownWork,
  ): Promise<(TenantFact | null)[]> {
    if (mine.assetId !== known.assetId) {
      // It may have been worked on while its source arrived; its chunks go with their rows.
      await dropDerived(manager, mine.jobId);
      await manager.query(
        `UPDATE assets SET status = 'deleting', deleting_since = now(), refs = 0, updated_at = now()
         WHERE id = $1 AND status = 'provisional'`,
        [mine.assetId],
      );
    }
    await manager.query(
      `UPDATE jobs SET asset_id = $2, waits_for = $3, source_complete = true, scan = 'off', scan_since = NULL, updated_at = now()
       WHERE id = $1`,
      [mine.jobId, known.assetId, known.jobId],
    );
    if (known.jobId !== null && !known.completed) await urgeShared(manager, known.jobId);
    await manager.query('UPDATE upload_sessions SET asset_id = $2 WHERE id = $1', [
      mine.sessionId,
      known.assetId,
    ]);
    const detected = await recordFact(manager, mine.jobId, {
      type: 'duplicate_detected',
      durable: true,
      message: known.completed
        ? 'This file is known; its result is served at once.'
        : 'This file is being converted already; its result is shared.',
      ...(known.completed ? { cachedResult: known.result } : {}),
    });
    return known.completed ? [detected, await this.complete(manager, mine.jobId, known)] : [detected];
  }

  /** Whether a file with these edges is known or at work: hashing all of it may then save sending it. */
  async isPossible(
    manager: EntityManager,
    file: { tenantId: string; profile: string; size: number; edges: string },
  ): Promise<boolean> {
    if (!this.settings.deduplicate) return false;
    const rows = (await manager.query(
      `SELECT 1 FROM assets a
       WHERE a.tenant_id = $1 AND a.profile = $2 AND a.size = $3 AND a.edges_sha256 = $4
         AND (a.status = 'ready' OR a.status = 'provisional' AND EXISTS (SELECT 1 FROM jobs j
           WHERE j.asset_id = a.id AND j.status IN ('pending', 'processing') AND j.source_complete))
       LIMIT 1`,
      [file.tenantId, file.profile, file.size, file.edges],
    )) as unknown[];
    return rows.length > 0;
  }

  /** A completed one first; `gone`: it ended while we waited for its lock. */
  private async lockKnown(
    manager: EntityManager,
    { tenantId, sha256, profile, size }: FileIdentity,
    mine: string | null,
  ): Promise<KnownWork | 'gone' | null> {
    const found = (await manager.query(
      `SELECT a.id AS "assetId", a.result, j.id AS "jobId" FROM assets a
       LEFT JOIN jobs j ON j.asset_id = a.id AND j.waits_for IS NULL AND (a.status = 'ready' AND j.status = 'completed'
         OR a.status = 'provisional' AND j.status IN ('pending', 'processing') AND j.source_complete)
       WHERE a.tenant_id = $1 AND a.sha256 = $2 AND a.profile = $3 AND ($4::bigint IS NULL OR a.size IS NULL OR a.size = $4)
         AND (j.id <> $5::uuid) IS NOT FALSE AND (a.status = 'ready' OR a.status = 'provisional' AND j.id IS NOT NULL)
       ORDER BY a.status = 'ready' DESC, j.created_at LIMIT 1`,
      [tenantId, sha256, profile, size, mine],
    )) as Omit<KnownWork, 'completed'>[];
    const known = found[0];
    if (known === undefined) return null;
    if (known.jobId === null) return { ...known, completed: true };
    const locked = (await manager.query(
      `SELECT id AS "jobId", asset_id AS "assetId", status = 'completed' AS completed, result FROM jobs
       WHERE id = $1 AND status <> 'failed' FOR UPDATE`,
      [known.jobId],
    )) as KnownWork[];
    return locked[0] ?? 'gone';
  }

  private async complete(
    manager: EntityManager,
    jobId: string,
    known: KnownWork,
  ): Promise<TenantFact | null> {
    await manager.query(
      `UPDATE jobs SET status = 'completed', result = $2, completed_at = now(), updated_at = now() WHERE id = $1`,
      [jobId, JSON.stringify(known.result)],
    );
    return recordFact(manager, jobId, {
      type: 'processing_completed',
      durable: true,
      stage: 'completed',
      progress: 100,
      message: 'All renditions are stored.',
      result: known.result,
      playback: finishedPlayback(known.assetId, known.result),
    });
  }
}
