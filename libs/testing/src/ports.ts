import { freePort, PORT_RANGE, type PortRange } from '#launcher';

/** More than test workers ever run at once, and one for what is in no worker. */
const SHARES = 6;

/** Each worker's own: two that choose from one range at the same time can be given the same port. */
function rangeOf(worker: number): PortRange {
  const size = Math.floor((PORT_RANGE.to - PORT_RANGE.from) / SHARES);
  const from = PORT_RANGE.from + (worker % SHARES) * size;
  return { from, to: from + size };
}

/** A TCP port on loopback that nobody listens on, and that no other test worker is given. */
export const testPort = (taken?: ReadonlySet<number>): Promise<number> =>
  freePort(0, taken, rangeOf(Number(process.env.VITEST_POOL_ID ?? 0)));
