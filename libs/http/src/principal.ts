import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyRequest } from 'fastify';
import { DEFAULT_TENANT, type Principal, SCOPES, type Scope, SluiceError } from '#contracts';

/** Of a request, or of a socket's handshake. */
export interface Credentials {
  method: string;
  headers: IncomingHttpHeaders;
  url: string;
}

/** Says who sends a request; null: the request does not say. Throws `credentials_invalid`. */
export type Authenticate = (request: Credentials) => Promise<Principal | null>;

/** Everybody, where nobody is asked: the default tenant with all that it has. */
export const OPEN_PRINCIPAL: Principal = {
  kind: 'open',
  tenantId: DEFAULT_TENANT,
  userId: null,
  scopes: new Set(SCOPES),
  keyId: null,
  sessionId: null,
  uploadSize: null,
  expiresAt: null,
};

const principals = new WeakMap<object, Principal>();

export const setPrincipal = (request: FastifyRequest, principal: Principal): void => {
  principals.set(request.raw, principal);
};

/** Who sent this request; throws `unauthenticated` where nobody has said. */
export function principalOf(request: { raw: object }): Principal {
  const principal = principals.get(request.raw);
  if (!principal) throw unauthenticated();
  return principal;
}

/** For logs and limits, which do without; null: nobody was asked, or nobody has said. */
export const principalIfKnown = (request: { raw: object }): Principal | null =>
  principals.get(request.raw) ?? null;

/** The sender, who must have this scope: `scope_missing` otherwise. */
export function demand(request: { raw: object }, scope: Scope): Principal {
  const principal = principalOf(request);
  assertScope(principal, scope);
  return principal;
}

export function assertScope({ scopes }: Principal, scope: Scope): void {
  if (!scopes.has(scope)) {
    throw new SluiceError('scope_missing', `This needs the scope ${scope}; use a key that has it.`);
  }
}

export const unauthenticated = () =>
  new SluiceError('unauthenticated', 'Send an API key or an upload token: Authorization: Bearer ….');
