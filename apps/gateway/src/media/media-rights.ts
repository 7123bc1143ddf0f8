import { Inject, Injectable } from '@nestjs/common';
import type { FastifyRequest } from 'fastify';
import { assetWithin, type PlaybackSigner, reachValues } from '#access';
import { readsOf, SluiceError } from '#contracts';
import { demand } from '#http';
import type { Database } from '../resources.js';
import { DATABASE, SIGNER } from '../tokens.js';
import { SharedReads } from './bounded-cache.js';

const ANSWERS_AT_MOST = 10_000;
/** A player asks for a segment every few seconds. */
const FRESH_MS = 10_000;

/** Who a cache may give an answer to, and for how many seconds at most. */
export interface Leave {
  isPublic: boolean;
  seconds: number;
}

const ANYBODY: Leave = { isPublic: true, seconds: Number.POSITIVE_INFINITY };
const ONLY_THEM: Leave = { isPublic: false, seconds: Number.POSITIVE_INFINITY };

/** Who may see an asset: who holds its ticket, its tenant, a person's own, or everybody. */
@Injectable()
export class MediaRights {
  private readonly allowed = new SharedReads<void>(ANSWERS_AT_MOST, FRESH_MS);

  constructor(
    @Inject(DATABASE) private readonly database: Database,
    @Inject(SIGNER) private readonly signer: PlaybackSigner,
  ) {}

  /** Throws `bad_signature`, `unauthenticated`, or `media_not_found`: what there is of others' is not told. */
  async assertMaySee(request: FastifyRequest, assetId: string, ticket: string | undefined): Promise<Leave> {
    if (ticket !== undefined) return this.byTicket(ticket, assetId);
    if (!this.signer.isOn) return ANYBODY;
    const values = [assetId, ...reachValues(readsOf(demand(request, 'media:read')))];
    await this.allowed.read(JSON.stringify(values), async () => {
      const rows = await this.database.query<unknown[]>(
        `SELECT 1 FROM assets a WHERE a.id = $1 AND ${assetWithin('a', 2)}`,
        values,
      );
      if (rows.length === 0) throw mediaNotFound();
    });
    return ONLY_THEM;
  }

  private byTicket(ticket: string, assetId: string): Leave {
    const seconds = this.signer.secondsLeft(ticket, assetId);
    if (seconds !== null) return { isPublic: false, seconds };
    throw new SluiceError(
      'bad_signature',
      'This address has expired, or is not one of ours; ask for the job to get a new one.',
    );
  }
}

export const mediaNotFound = () =>
  new SluiceError(
    'media_not_found',
    'There is no such media; use an address that a job or a playlist names.',
  );
