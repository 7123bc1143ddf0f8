import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { SluiceError } from '#contracts';

const TIMESTAMP = 'x-sluice-timestamp';
const SIGNATURE = 'x-sluice-signature';
/** Nodes' clocks may differ by minutes; a signature is bound to method and path, so an old one gives nothing new. */
const TOLERANCE_SECONDS = 600;

const sign = (secret: string, method: string, path: string, timestamp: string) =>
  createHmac('sha256', secret).update(`${method}\n${path}\n${timestamp}`).digest();

/** Headers for a request from one service to another. `path` includes the query. */
export function signedHeaders(secret: string, method: string, path: string): Record<string, string> {
  const timestamp = String(Math.floor(Date.now() / 1000));
  return { [TIMESTAMP]: timestamp, [SIGNATURE]: sign(secret, method, path, timestamp).toString('hex') };
}

/** Throws `bad_signature` unless another of our services sent this. */
export function verifySigned(
  secret: string,
  method: string,
  path: string,
  headers: IncomingHttpHeaders,
): void {
  const timestamp = String(headers[TIMESTAMP] ?? '');
  const given = Buffer.from(String(headers[SIGNATURE] ?? ''), 'hex');
  const expected = sign(secret, method, path, timestamp);
  const fresh = Math.abs(Date.now() / 1000 - Number(timestamp)) <= TOLERANCE_SECONDS;
  if (!fresh || given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw new SluiceError('bad_signature', 'This address is only for the services of this deployment.');
  }
}
