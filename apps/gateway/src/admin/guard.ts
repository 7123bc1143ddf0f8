import type { FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#contracts';
import { type ServiceContext, sendProblem } from '#http';
import { FailedAttempts } from './failed-attempts.js';
import { Operators, type Role } from './operators.js';

/** Below it everything is for operators. */
export const ADMIN_PREFIX = '/admin/';

const roles = new WeakMap<object, Role>();

/** What the guard has found out about who sends this. */
export const roleOf = (request: { raw: object }): Role => roles.get(request.raw) ?? 'viewer';

/**
 * The door before the operator's pages. With ADMIN_PASSWORD it asks for name and password, of whoever
 * comes; without one it is open where nobody but this machine's user comes and nobody is asked who they
 * are (`npm start`), and closed elsewhere.
 */
export class AdminGuard {
  private readonly operators: Operators;
  private readonly attempts = new FailedAttempts();
  private readonly isOpen: boolean;

  constructor({ environment, access }: ServiceContext) {
    this.operators = new Operators(environment);
    this.isOpen = !this.operators.areNamed && access.loopback && environment.AUTH_MODE === 'open';
  }

  /** A hook for the scope that has the routes of the operator's pages. */
  readonly check = async (request: FastifyRequest, reply: FastifyReply) => {
    reply.header('x-frame-options', 'DENY').header('cache-control', 'no-store');
    try {
      const role = this.roleFor(request, reply);
      roles.set(request.raw, role);
      refuseForged(request);
      if (role === 'viewer' && !isReading(request)) {
        throw new SluiceError('scope_missing', 'You may look at the queues, not change them.');
      }
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      sendProblem(request, reply, error);
      return reply;
    }
    return undefined;
  };

  private roleFor(request: FastifyRequest, reply: FastifyReply): Role {
    const wait = this.attempts.secondsToWait(request.ip);
    if (wait > 0) {
      reply.header('retry-after', String(wait));
      throw new SluiceError('rate_limited', `Too many wrong passwords; try again in ${wait} s.`);
    }
    const { authorization } = request.headers;
    const role = this.operators.roleOf(authorization);
    if (role !== null) return role;
    if (this.isOpen) return 'operator';
    if (!this.operators.areNamed) {
      throw new SluiceError('unauthenticated', 'These pages are closed until ADMIN_PASSWORD is set.');
    }
    if (authorization !== undefined) this.attempts.note(request.ip);
    reply.header('www-authenticate', 'Basic realm="Sluice, for operators", charset="UTF-8"');
    throw new SluiceError('unauthenticated', 'Give the name and the password of an operator.');
  }
}

const isReading = ({ method }: FastifyRequest) => method === 'GET' || method === 'HEAD';

/**
 * Browsers send a password by themselves, also for a page elsewhere that posts to us, and the board knows
 * no forged requests: other pages get nothing, not even those of ALLOWED_ORIGINS, and what changes
 * something must come from the board's own page.
 */
function refuseForged(request: FastifyRequest): void {
  const { origin, host } = request.headers;
  if (origin === undefined ? isReading(request) : isSameOrigin(origin, host)) return;
  throw new SluiceError(
    'origin_not_allowed',
    "Only the board's own page may do this; open it in the browser.",
  );
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host;
}
