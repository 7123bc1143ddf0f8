import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';
export interface PortRange {
  from: number;
  /** One past the last. */
  to: number;
}

/** Below the range that systems take outgoing ports from: a port of theirs could be gone before it is used again. */
export const PORT_RANGE: PortRange = { from: 20_000, to: 32_000 };

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

/**
 * A TCP port on loopback that nobody listens on: the preferred one, else any of the range that is not in `taken`.
 * Two processes that ask at the same time may be given the same one, unless their ranges are apart.
 */
export async function freePort(
  preferred = 0,
  taken: ReadonlySet<number> = new Set(),
  range: PortRange = PORT_RANGE,
): Promise<number> {
  if (preferred !== 0 && !taken.has(preferred) && (await isFree(preferred))) return preferred;
  for (let tries = 0; tries < 1000; tries++) {
    const port = randomInt(range.from, range.to);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`No port between ${range.from} and ${range.to} is free on ${HOST}.`);
}
