import { randomUUID } from 'node:crypto';
import { errors, jwtVerify, SignJWT } from 'jose';
import { type Principal, type Scope, SluiceError } from '#contracts';
import { deriveKey } from './secrets.js';

const ISSUER = 'sluice';
/** A token of another use, or of another issuer with the same secret, is none of these. */
const AUDIENCE = 'sluice-uploads';
const ALGORITHM = 'HS256';
/** Seconds that the clocks of those who issue and check may differ. */
const LEEWAY = 60;
export const TOKEN_SCOPES: readonly Scope[] = ['uploads:write', 'jobs:read', 'media:read'];

/** What a token says: one session, of one size, until one time. */
export interface UploadGrant {
  tenantId: string;
  sessionId: string;
  /** Bytes. */
  size: number;
  /** The person it is for, as the tenant's own system calls them; null: not said. */
  userId: string | null;
  /** `scheme://host:port` of the pages that may use it; null: any that ALLOWED_ORIGINS lets in. */
  origin: string | null;
  /** The key that asked for it; null in open mode. */
  keyId: string | null;
}

/** A token that holds, and the origin that it is for. */
export interface VerifiedToken {
  principal: Principal;
  origin: string | null;
}

/** Short-lived credentials for browsers: JWTs signed with a key that is derived of the services' secret. */
export class UploadTokens {
  private readonly key: Uint8Array;

  constructor(secret: string) {
    this.key = deriveKey(secret, 'upload tokens');
  }

  async issue(grant: UploadGrant, expiresAt: Date): Promise<string> {
    const { tenantId: tid, sessionId: sid, size, origin, keyId: kid } = grant;
    const token = new SignJWT({ tid, sid, size, origin, kid })
      .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT' })
      .setIssuer(ISSUER)
      .setAudience(AUDIENCE)
      .setJti(randomUUID())
      .setIssuedAt()
      .setExpirationTime(expiresAt);
    if (grant.userId !== null) token.setSubject(grant.userId);
    return token.sign(this.key);
  }

  /** Throws `credentials_invalid`. */
  async verify(token: string): Promise<VerifiedToken> {
    try {
      const { payload } = await jwtVerify(token, this.key, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        clockTolerance: LEEWAY,
        requiredClaims: ['exp', 'iat', 'tid', 'sid', 'size'],
      });
      return {
        origin: (payload.origin as string | null) ?? null,
        principal: {
          kind: 'token',
          tenantId: String(payload.tid),
          userId: payload.sub ?? null,
          scopes: new Set(TOKEN_SCOPES),
          keyId: (payload.kid as string | null) ?? null,
          sessionId: String(payload.sid),
          uploadSize: Number(payload.size),
          expiresAt: ((payload.exp ?? 0) + LEEWAY) * 1000,
        },
      };
    } catch (error) {
      if (error instanceof errors.JWTExpired)
        throw refused('This upload token has expired; ask for another.');
      throw refused('This upload token is not one of ours; ask for another.');
    }
  }
}

const refused = (message: string) => new SluiceError('credentials_invalid', message);
