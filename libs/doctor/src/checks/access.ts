import { type Environment, isLoopback } from '#config';
import { type Finding, ok, warning } from '../finding.js';

/** Who gets in; whether a key is there at all is for the database's check. */
export function checkAccess(environment: Environment): Finding[] {
  const { AUTH_MODE, ADMIN_PASSWORD, ADMIN_VIEWER_PASSWORD } = environment;
  const isOpen = AUTH_MODE === 'open';
  const says = isOpen ? 'AUTH_MODE=open: whoever reaches this machine may do everything' : 'AUTH_MODE=keys';
  const board = ADMIN_PASSWORD !== '' || ADMIN_VIEWER_PASSWORD !== '';
  if (board) return [ok('access', says), ok('access', 'the queue board asks for a password')];
  if (isOpen && isLoopback(environment)) return [ok('access', `${says}, on loopback only`)];
  return [
    ok('access', says),
    warning(
      'access',
      'nobody can open the queue board (/admin/queues)',
      'Set ADMIN_PASSWORD, and restart the gateway.',
    ),
  ];
}
