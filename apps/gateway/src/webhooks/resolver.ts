import { lookup, Resolver } from 'node:dns/promises';

/** All addresses of a name; none: it is not known. */
export type Resolve = (name: string, signal: AbortSignal) => Promise<string[]>;

const TRY_MS = 2000;
const TRIES = 2;

/** Names of this machine, one at a time. */
let local: Promise<unknown> = Promise.resolve();

/**
 * Asks the name servers on sockets. The system's own look-up holds one of the four threads that also read
 * media from the disk, for as long as a stranger's name server likes; it is asked, once at a time, only
 * for what they do not know, such as names in /etc/hosts.
 */
export const resolveName: Resolve = async (name, signal) => {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  const cancel = () => resolver.cancel();
  signal.addEventListener('abort', cancel, { once: true });
  try {
    const answers = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    const addresses = answers.flatMap((answer) => (answer.status === 'fulfilled' ? answer.value : []));
    if (addresses.length > 0) return addresses;
  } finally {
    signal.removeEventListener('abort', cancel);
  }
  const mine = local.then(() => {
    signal.throwIfAborted();
    return lookup(name, { all: true });
  });
  local = mine.catch(() => undefined);
  const known = mine.then(
    (found) => found.map(({ address }) => address),
    () => [],
  );
  // A look-up cannot be cut short; who has waited long enough leaves it behind.
  return Promise.race([known, endOf(signal)]);
};

function endOf(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const end = () => reject(signal.reason);
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
  });
}
