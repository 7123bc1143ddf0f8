import type { Environment } from '#config';
import { type Principal, SluiceError } from '#contracts';
import { type Authenticate, type Credentials, OPEN_PRINCIPAL } from '#http';
import type { DataSource } from '#persistence';
import { ApiKeys } from './api-keys.js';
import { Recent } from './recent.js';
import { looksLikeKey } from './secrets.js';
import { UploadTokens } from './upload-tokens.js';

/** So long a key that was revoked elsewhere may still be taken here. */
const FRESH_MS = 2000;
const KEYS_AT_MOST = 10_000;
const READS = new Set(['GET', 'HEAD']);
/** Where EventSource, which sends no headers of its own, puts a token; never a key, since addresses end up in logs. */
export const TOKEN_PARAMETER = 'access_token';

/** Who sends a request: by an API key, by an upload token, or nobody is asked (AUTH_MODE). */
export class Authenticator {
  private readonly tokens: UploadTokens;
  private readonly isOpen: boolean;
  private keys: ApiKeys | null = null;
  private readonly recent = new Recent<Principal>(KEYS_AT_MOST, FRESH_MS);
  private readonly revoked = new Recent<boolean>(KEYS_AT_MOST, FRESH_MS);

  constructor(environment: Pick<Environment, 'AUTH_MODE' | 'INTERNAL_SECRET'>) {
    this.isOpen = environment.AUTH_MODE === 'open';
    this.tokens = new UploadTokens(environment.INTERNAL_SECRET);
  }

  /** Before the first request. */
  use(database: DataSource): void {
    this.keys = new ApiKeys(database);
  }

  readonly authenticate: Authenticate = async (request) => {
    if (this.isOpen) return OPEN_PRINCIPAL;
    const shown = credentialIn(request);
    if (shown === null) return null;
    return looksLikeKey(shown) ? this.byKey(shown) : this.byToken(shown, request);
  };

  private async byKey(key: string): Promise<Principal> {
    // What fails is not kept: nobody pushes real keys out with wrong ones.
    return this.recent.read(key, async () => {
      const row = await this.rows.findLive(key);
      if (!row)
        throw new SluiceError(
          'credentials_invalid',
          'This API key is not in use; it may be mistyped or revoked.',
        );
      await this.rows.markUsed(row.id);
      const { id: keyId, tenantId, expiresAt } = row;
      return {
        kind: 'key',
        ...{ keyId, tenantId, userId: null, sessionId: null, uploadSize: null },
        scopes: new Set(row.scopes),
        expiresAt: expiresAt?.getTime() ?? null,
      };
    });
  }

  private async byToken(token: string, request: Credentials): Promise<Principal> {
    const { principal, origin } = await this.tokens.verify(token);
    refuseOtherOrigins(origin, request);
    const { keyId } = principal;
    if (keyId !== null && (await this.revoked.read(keyId, () => this.rows.isRevoked(keyId)))) {
      throw new SluiceError('credentials_invalid', 'The key that issued this upload token was revoked.');
    }
    return principal;
  }

  private get rows(): ApiKeys {
    if (this.keys) return this.keys;
    throw new SluiceError('unavailable', 'This service is starting; try again in a second.');
  }
}

/** `Authorization: Bearer`, `X-API-Key`, or a token in the query of what only reads. Other schemes are other doors'. */
function credentialIn({ method, headers, url }: Credentials): string | null {
  const bearer = /^bearer +([^ ]+) *$/i.exec(headers.authorization ?? '')?.[1];
  if (bearer !== undefined) return bearer;
  const key = headers['x-api-key'];
  if (typeof key === 'string' && key !== '') return key;
  if (!READS.has(method) || !url.includes(`${TOKEN_PARAMETER}=`)) return null;
  const token = new URL(url, 'http://localhost').searchParams.get(TOKEN_PARAMETER);
  if (token !== null && looksLikeKey(token)) {
    throw new SluiceError(
      'credentials_invalid',
      'An API key does not belong into an address; send a header.',
    );
  }
  return token;
}

/** Pages say their origin with everything but what they only read at home. */
function refuseOtherOrigins(origin: string | null, { method, headers }: Credentials): void {
  if (origin === null || headers.origin === origin) return;
  if (headers.origin === undefined && READS.has(method)) return;
  throw new SluiceError('credentials_invalid', 'This upload token is for pages of another origin.');
}
