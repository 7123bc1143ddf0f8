import { isIP } from 'node:net';
import { SluiceError } from '#contracts';
import type { AddressGuard } from './address-guard.js';
import type { Resolve } from './resolver.js';

/** Addresses of a receiver that were looked up once and may be called. */
export interface Target {
  url: URL;
  addresses: string[];
}

export class RefusedTarget extends Error {}

const NOT_PUBLIC =
  'its address is not in a public network; whoever runs this service can allow it (WEBHOOK_ALLOW_PRIVATE)';

const hostOf = (url: URL) => url.hostname.replace(/^\[|\]$/g, '');

/** What can be told of a URL before anybody is asked: its form, and an address that stands in it. Throws `webhook_url_refused`. */
export function checkUrl(text: string, guard: AddressGuard): string {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol))
    throw refused('it must be a http:// or https:// URL');
  if (url.username !== '' || url.password !== '') throw refused('it must not have a user name or password');
  if (url.hash !== '') throw refused('it must not have a fragment (#)');
  const host = hostOf(url);
  if (isIP(host) !== 0 && !guard.allows(host)) throw refused(NOT_PUBLIC);
  return url.href;
}

/**
 * Looks a receiver's name up, once for an attempt: the connection goes to what was checked, whatever the
 * name leads to a moment later. A name with any address that may not be called is not called at all.
 */
export async function resolveTarget(
  text: string,
  { resolve, guard, signal }: { resolve: Resolve; guard: AddressGuard; signal: AbortSignal },
): Promise<Target> {
  const url = new URL(text);
  const host = hostOf(url);
  const addresses = isIP(host) === 0 ? await resolve(host, signal) : [host];
  if (addresses.length === 0) throw new RefusedTarget('Its host name is not known.');
  if (!addresses.every((address) => guard.allows(address)))
    throw new RefusedTarget(`The URL is not called: ${NOT_PUBLIC}.`);
  return { url, addresses };
}

const refused = (why: string) => new SluiceError('webhook_url_refused', `This URL cannot be used: ${why}.`);
