import type { IncomingMessage } from 'node:http';
import proxyAddress from '@fastify/proxy-addr';
import { type Environment, listOf } from '#config';

type Setting = Pick<Environment, 'TRUST_PROXY'>;

/**
 * The client is the last address of X-Forwarded-For that is no proxy of ours, so that it does not matter what a
 * stranger has put before it. `true`: proxies on this machine and on private networks.
 */
export function trustedProxies({ TRUST_PROXY }: Setting): false | string[] {
  if (TRUST_PROXY === 'false') return false;
  return TRUST_PROXY === 'true' ? ['loopback', 'linklocal', 'uniquelocal'] : listOf(TRUST_PROXY);
}

/** Of a request that does not come through Fastify, as `request.ip` is there. */
export function addressOf(setting: Setting): (request: IncomingMessage) => string {
  const trust = trustedProxies(setting);
  const isTrusted = trust === false ? () => false : proxyAddress.compile(trust);
  return (request) => proxyAddress(request, isTrusted);
}
