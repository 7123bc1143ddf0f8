import { Inject, Injectable } from '@nestjs/common';
import { mediaPrefix } from '#contracts';
import type { ObjectStore } from '#storage';
import { STORE } from '../tokens.js';
import { PackageRows } from './package-rows.js';

const BATCH = 500;

/** Removes what late and killed writers left below an asset whose rows no longer change. */
@Injectable()
export class RubbishSweeper {
  constructor(
    @Inject(PackageRows) private readonly rows: PackageRows,
    @Inject(STORE) private readonly store: ObjectStore,
  ) {}

  /** Deletes what neither a row nor `keep` names; answers with how many objects. */
  async sweep(assetId: string, keep: ReadonlySet<string>): Promise<number> {
    let swept = 0;
    let batch: string[] = [];
    for await (const { key } of this.store.list(mediaPrefix(assetId))) {
      if (!keep.has(key)) batch.push(key);
      if (batch.length < BATCH) continue;
      swept += await this.sweepBatch(assetId, batch);
      batch = [];
    }
    return swept + (await this.sweepBatch(assetId, batch));
  }

  private async sweepBatch(assetId: string, keys: readonly string[]): Promise<number> {
    if (keys.length === 0) return 0;
    const named = await this.rows.named(assetId, keys);
    const rubbish = keys.filter((key) => !named.has(key));
    for (const key of rubbish) await this.store.delete(key);
    return rubbish.length;
  }
}
