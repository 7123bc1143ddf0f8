import { createHash, timingSafeEqual } from 'node:crypto';
import type { Environment } from '#config';

/** `operator` may change queues, `viewer` only looks. */
export type Role = 'operator' | 'viewer';

type Settings = Pick<
  Environment,
  'ADMIN_USER' | 'ADMIN_PASSWORD' | 'ADMIN_VIEWER_USER' | 'ADMIN_VIEWER_PASSWORD'
>;

/** Who may see the operator's pages, by name and password (HTTP Basic). */
export class Operators {
  private readonly known: { credentials: Buffer; role: Role }[];

  constructor(settings: Settings) {
    const { ADMIN_USER, ADMIN_PASSWORD, ADMIN_VIEWER_USER, ADMIN_VIEWER_PASSWORD } = settings;
    this.known = [
      { user: ADMIN_USER, password: ADMIN_PASSWORD, role: 'operator' as const },
      { user: ADMIN_VIEWER_USER, password: ADMIN_VIEWER_PASSWORD, role: 'viewer' as const },
    ]
      .filter(({ password }) => password !== '')
      .map(({ user, password, role }) => ({ credentials: digest(`${user}:${password}`), role }));
  }

  /** Somebody has a password: nobody gets in without one. */
  get areNamed(): boolean {
    return this.known.length > 0;
  }

  /** Null: these are nobody's credentials. Takes as long for wrong ones as for right ones. */
  roleOf(authorization: string | undefined): Role | null {
    const encoded = /^basic +([A-Za-z0-9+/=]+) *$/i.exec(authorization ?? '')?.[1];
    if (encoded === undefined) return null;
    const given = digest(Buffer.from(encoded, 'base64').toString('utf8'));
    const matching = this.known.filter(({ credentials }) => timingSafeEqual(credentials, given));
    return matching[0]?.role ?? null;
  }
}

/** Of one length, whatever was given. */
const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
