import type { EntityManager } from '#persistence';

/** What makes two files the same (docs/model.md, Dedup). */
export interface FileKey {
  tenantId: string;
  profile: string;
  sha256: string;
}

/** Until the caller's transaction ends nobody else decides who works on this file. Before all row locks of jobs. */
export async function lockFile(
  manager: EntityManager,
  { tenantId, profile, sha256 }: FileKey,
): Promise<void> {
  await manager.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [
    JSON.stringify([tenantId, profile, sha256]),
  ]);
}
