import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Environment } from '#config';
import { deriveKey } from './secrets.js';

type Settings = Pick<
  Environment,
  'AUTH_MODE' | 'INTERNAL_SECRET' | 'PLAYBACK_SIGNED' | 'PLAYBACK_TTL_SECONDS'
>;

/** Below it the next part of a path is a ticket, then everything is as below `/media/`. */
export const SIGNED_MEDIA = '/media/signed/';

/** 128 bits; more would only make addresses longer. */
const SIGNATURE_BYTES = 16;
const TICKET = /^(\d{10,11})\.([A-Za-z0-9_-]{22})$/;
const MEDIA_PATH = /^\/media\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\//;
/** Of facts, views and webhooks: what holds addresses of media. */
const WITH_ADDRESSES = ['playback', 'result', 'cached_result', 'downloads'];

/**
 * Addresses that play an asset until a time, without credentials: the signature stands in the path, before
 * the asset, so that what a playlist names by relative addresses is signed, too.
 */
export class PlaybackSigner {
  readonly isOn: boolean;
  private readonly key: Uint8Array;
  private readonly ttlSeconds: number;

  constructor(settings: Settings) {
    const { PLAYBACK_SIGNED, AUTH_MODE } = settings;
    this.isOn = PLAYBACK_SIGNED === 'auto' ? AUTH_MODE === 'keys' : PLAYBACK_SIGNED === 'true';
    this.key = deriveKey(settings.INTERNAL_SECRET, 'playback');
    this.ttlSeconds = settings.PLAYBACK_TTL_SECONDS;
  }

  /** The same ticket for as long as it may be, so that caches and players see one address: good for one to two TTLs. */
  ticket(assetId: string, now = Date.now()): string {
    const window = Math.floor(now / 1000 / this.ttlSeconds);
    const expires = (window + 2) * this.ttlSeconds;
    return `${expires}.${this.signature(assetId, expires).toString('base64url')}`;
  }

  /** Seconds that it is good for; null: it is over, of another asset, or not ours. */
  secondsLeft(ticket: string, assetId: string, now = Date.now()): number | null {
    const [, expires, signature] = TICKET.exec(ticket) ?? [];
    if (expires === undefined || signature === undefined) return null;
    const left = Number(expires) - Math.floor(now / 1000);
    const given = Buffer.from(signature, 'base64url');
    const isOurs = timingSafeEqual(given, this.signature(assetId, Number(expires)));
    return isOurs && left > 0 ? left : null;
  }

  /** A copy of a fact, a view or the like with signed addresses of media; without any, or unsigned, itself. */
  sign<T extends object>(value: T): T {
    if (!this.isOn || !WITH_ADDRESSES.some((key) => key in value)) return value;
    const signed = Object.entries(value).map(([key, part]) => [
      key,
      WITH_ADDRESSES.includes(key) ? this.signDeep(part) : part,
    ]);
    return Object.fromEntries(signed) as T;
  }

  private signDeep(value: unknown): unknown {
    if (typeof value === 'string') {
      const assetId = MEDIA_PATH.exec(value)?.[1];
      if (assetId === undefined) return value;
      return `${SIGNED_MEDIA}${this.ticket(assetId)}${value.slice('/media'.length)}`;
    }
    if (Array.isArray(value)) return value.map((part) => this.signDeep(part));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, this.signDeep(part)]));
  }

  private signature(assetId: string, expires: number): Buffer {
    return createHmac('sha256', this.key)
      .update(`${assetId}\n${expires}`)
      .digest()
      .subarray(0, SIGNATURE_BYTES);
  }
}
