/** What a key, a token or a person may do. A route or a socket event demands one of them. */
export const SCOPES = [
  /** Open sessions, send chunks, look at and cancel one's own uploads. */
  'uploads:write',
  /** Jobs, their events, live and by HTTP. */
  'jobs:read',
  /** Cancel, retry, reprioritise, delete. */
  'jobs:write',
  /** Media where playback is not open. */
  'media:read',
  'webhooks:write',
  /** Keys and upload tokens of the own tenant. */
  'keys:write',
  /** The deployment: every tenant, queues, quarantine, quotas. */
  'operator',
] as const;
export type Scope = (typeof SCOPES)[number];

/** Who asks. Everything that is read or written on a request's behalf is of this tenant and no other. */
export interface Principal {
  /** `open`: nobody is asked who they are (loopback only). */
  kind: 'open' | 'key' | 'token';
  tenantId: string;
  /** The person behind an upload token, as the tenant's own system calls it; null: the tenant itself. */
  userId: string | null;
  scopes: ReadonlySet<Scope>;
  /** Row of the key, for logs and rate limits; null in open mode. */
  keyId: string | null;
  /** An upload token is for this session alone; null: not bound to one. */
  sessionId: string | null;
  /** Bytes of the file that an upload token is for. */
  uploadSize: number | null;
  /** Milliseconds since the epoch; from then on this is nobody any more. */
  expiresAt: number | null;
}

/** Whose rows a statement may touch; null: anybody's. */
export interface Reach {
  tenantId: string | null;
  userId: string | null;
  sessionId: string | null;
}

/** For what no request asks for: sweeps, and what follows once a request's row has been found. */
export const ANYBODYS: Reach = { tenantId: null, userId: null, sessionId: null };

const tenantOf = ({ tenantId, scopes }: Principal) => (scopes.has('operator') ? null : tenantId);

/** What somebody may change. An upload token changes its own session and nothing else. */
export function writesOf(principal: Principal): Reach {
  return { tenantId: tenantOf(principal), userId: null, sessionId: principal.sessionId };
}

/** What somebody may see: with a token that names its person all that is theirs, otherwise what they may change. */
export function readsOf(principal: Principal): Reach {
  if (principal.userId === null) return writesOf(principal);
  return { tenantId: tenantOf(principal), userId: principal.userId, sessionId: null };
}
