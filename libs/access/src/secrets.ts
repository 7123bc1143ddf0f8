import { createHash, hkdfSync, randomBytes } from 'node:crypto';

const PREFIX = 'sluice_';
/** 256 random bits, which nobody finds by trying: a plain digest of them is enough. */
const SECRET_BYTES = 32;
const KEY = /^sluice_[A-Za-z0-9_-]{43}$/;
/** So much of a key may be shown again, to tell it from others: 24 of its bits. */
const HINT_LENGTH = PREFIX.length + 4;

export interface NewSecret {
  /** Shown once. */
  key: string;
  hash: Buffer;
  hint: string;
}

export function newSecret(): NewSecret {
  const key = PREFIX + randomBytes(SECRET_BYTES).toString('base64url');
  return { key, hash: hashOf(key), hint: key.slice(0, HINT_LENGTH) };
}

export const hashOf = (key: string): Buffer => createHash('sha256').update(key).digest();

export const looksLikeKey = (text: string): boolean => KEY.test(text);

/** A key for one purpose alone, of the secret that all services share. */
export function deriveKey(secret: string, purpose: 'upload tokens' | 'playback'): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, '', `sluice ${purpose}`, 32));
}
