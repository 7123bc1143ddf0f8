import { Inject, Injectable } from '@nestjs/common';
import type { ServiceContext } from '#http';
import { CONTEXT } from '../tokens.js';
import { SharedReads } from './bounded-cache.js';
import { EarlyRows } from './early-rows.js';

const READ_EVERY_MS = 1000;
const ASSETS_AT_MOST = 500;

/** Objects of a file that is encoded before its verdict (S3-09); in other modes there are none. */
@Injectable()
export class Quarantine {
  private readonly held = new SharedReads<boolean>(ASSETS_AT_MOST, READ_EVERY_MS);

  constructor(
    @Inject(CONTEXT) private readonly context: ServiceContext,
    @Inject(EarlyRows) private readonly rows: EarlyRows,
  ) {}

  async holds(assetId: string): Promise<boolean> {
    if (this.context.environment.SCAN_MODE !== 'quarantine') return false;
    return this.held.read(assetId, () => this.rows.isHeld(assetId));
  }
}
