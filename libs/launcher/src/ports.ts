import { randomInt } from 'node:crypto';
import { createServer } from 'node:net';

const HOST = '127.0.0.1';
/** Below the range that systems take outgoing ports from: a port of theirs could be gone before it is used again. */
const RANGE = { from: 20_000, to: 32_000 };

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, HOST, () => server.close(() => resolve(true)));
  });
}

/** A TCP port on loopback that nobody listens on: the preferred one, else any that is not in `taken`. */
export async function freePort(preferred = 0, taken: ReadonlySet<number> = new Set()): Promise<number> {
  if (preferred !== 0 && !taken.has(preferred) && (await isFree(preferred))) return preferred;
  for (let tries = 0; tries < 1000; tries++) {
    const port = randomInt(RANGE.from, RANGE.to);
    if (!taken.has(port) && (await isFree(port))) return port;
  }
  throw new Error(`No port between ${RANGE.from} and ${RANGE.to} is free on ${HOST}.`);
}
