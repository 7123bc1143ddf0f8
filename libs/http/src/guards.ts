import type { IncomingHttpHeaders } from 'node:http';
import { SluiceError } from '#contracts';

const LOOPBACK_NAMES = new Set(['localhost', '127.0.0.1', '[::1]']);

export interface AccessRules {
  /** Host names without port; loopback names are allowed when `loopback` is set. */
  hosts: ReadonlySet<string>;
  /** `scheme://host:port` of pages that may call us. */
  origins: ReadonlySet<string>;
  loopback: boolean;
}

/**
 * An open API on loopback can be reached by any page that its user visits: a foreign Host is DNS
 * rebinding, a foreign Origin is a page that posts to us. Both are refused before anything is read.
 */
export function checkAccess(headers: IncomingHttpHeaders, rules: AccessRules): void {
  const host = hostName(headers.host ?? '');
  if (!(rules.hosts.has(host) || (rules.loopback && LOOPBACK_NAMES.has(host)))) {
    throw new SluiceError(
      'host_not_allowed',
      'This host name is not served here; add it to ALLOWED_HOSTS if it is yours.',
    );
  }
  const origin = headers.origin;
  if (origin !== undefined && !isOriginAllowed(origin, headers.host ?? '', rules)) {
    throw new SluiceError(
      'origin_not_allowed',
      'Pages of this origin may not call this service; add it to ALLOWED_ORIGINS if it is yours.',
    );
  }
}

/** Same host and port, or listed. */
export function isOriginAllowed(origin: string, host: string, rules: AccessRules): boolean {
  if (rules.origins.has(origin)) return true;
  try {
    return new URL(origin).host === host;
  } catch {
    return false;
  }
}

/** `[::1]:80` → `[::1]`, `a.b:80` → `a.b` */
export function hostName(host: string): string {
  const match = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(:\d{1,5})?$/i.exec(host);
  return match?.[1]?.toLowerCase() ?? '';
}
