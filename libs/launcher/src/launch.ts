import { existsSync } from 'node:fs';
import { chmod, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { planBacking } from './backing.js';
import { openScreen } from './follow/screen.js';
import { ChildRegistry } from './registry.js';
import { loadSecret } from './secret.js';
import { planServices, SERVICES } from './services.js';
import type { Supervised } from './supervised.js';

export interface LaunchOptions {
  /** Data, logs, secret; nobody else may use it at the same time (the caller holds its lock). */
  home: string;
  files: string[];
  /** End when all files are done, instead of serving on. */
  exit: boolean;
  /** Hears of every process that is started, to write it down. */
  onChild: (name: string, pid: number) => void;
}

const INTERRUPTED: Record<string, number> = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };
const LOGS = [...SERVICES, 'redis', 'postgres'];

/**
 * Starts everything, serves until a signal comes (with `exit`: until the files are done), stops
 * everything. Resolves with the exit status, when no process is left.
 */
export async function launch(options: LaunchOptions): Promise<number> {
  const screen = openScreen(process.stdout);
  const registry = new ChildRegistry(options.onChild);
  const stop = new AbortController();
  const release = onSignals(stop, registry, screen.print);
  const started: Supervised[] = [];
  let status: number;
  try {
    await prepareHome(options.home);
    screen.print('Starting …');
    const urls = await startAll(options, { registry, started, stop, say: screen.print });
    await writeFile(join(options.home, 'url'), urls.publicUrl);
    // For scripts/sluice.mjs; like the secret it is for this home's owner alone.
    await writeFile(join(options.home, 'running.json'), JSON.stringify(urls.environment), { mode: 0o600 });
    screen.print(urls.publicUrl);
    if (urls.isOpen)
      screen.print('Open: nobody is asked who they are; only this machine reaches it (AUTH_MODE).');
    let followed = true;
    if (options.files.length > 0) {
      // Only now: most starts have no files and need not wait for what following loads.
      const { followFiles } = await import('./follow/follow.js');
      followed = await followFiles(options.files, { ...urls, screen, signal: stop.signal });
    }
    if (!options.exit) {
      screen.print(
        options.files.length > 0 ? 'Serving on; Ctrl-C stops everything.' : 'Ctrl-C stops everything.',
      );
      await aborted(stop.signal);
    }
    status = options.exit && !followed ? 1 : 0;
  } catch (error) {
    status = 1;
    if (!stop.signal.aborted) screen.print((error as Error).message);
  }
  if (stop.signal.aborted && (options.exit || started.length === 0)) {
    status = INTERRUPTED[String((stop.signal.reason as Error).message)] ?? 1;
  }
  await stopAll(started);
  for (const file of ['url', 'running.json']) await rm(join(options.home, file), { force: true });
  screen.close();
  release();
  return status;
}

interface StartContext {
  registry: ChildRegistry;
  /** Filled as things start; stopped in the reverse order. */
  started: Supervised[];
  stop: AbortController;
  say: (line: string) => void;
}

async function startAll({ home }: LaunchOptions, { registry, started, stop, say }: StartContext) {
  const secret = await loadSecret(home);
  const backing = await planBacking({ home, secret, registry, say });
  const services = await planServices({ home, secret, registry, say, ...backing });
  stop.signal.throwIfAborted();
  // Together: services load their modules, which takes as long as a database, and wait for it by themselves.
  const parts = [...backing.parts, ...services.parts];
  started.push(...parts);
  const abort = () => parts.forEach((part) => void part.stop());
  stop.signal.addEventListener('abort', abort, { once: true });
  // All or nothing, but only when each has settled: none may be forgotten while it starts.
  const results = await Promise.allSettled(
    parts.map((part) =>
      part.start().catch((error: unknown) => {
        abort();
        throw error;
      }),
    ),
  );
  stop.signal.removeEventListener('abort', abort);
  const failure = results.find((result) => result.status === 'rejected' && !isAbort(result.reason));
  if (failure?.status === 'rejected') throw failure.reason;
  stop.signal.throwIfAborted();
  return services;
}

/** `Supervised.stop` ends what is still starting: the part that failed first is the reason. */
const isAbort = (error: unknown) => error instanceof Error && error.message === 'stopping';

/** Services first and together, while Redis and Postgres still answer them; then those. */
async function stopAll(started: Supervised[]): Promise<void> {
  const isService = (part: Supervised) => (SERVICES as readonly string[]).includes(part.name);
  await Promise.all(started.filter(isService).map((part) => part.stop()));
  await Promise.all(started.filter((part) => !isService(part)).map((part) => part.stop()));
}

/** The first signal stops in order, every further one without patience. */
function onSignals(stop: AbortController, registry: ChildRegistry, say: (line: string) => void): () => void {
  const handle = (signal: NodeJS.Signals) => {
    if (stop.signal.aborted) {
      registry.signalAll('SIGKILL', new Set<string>(SERVICES));
      return;
    }
    say('Stopping …');
    stop.abort(new Error(signal));
  };
  // Whatever else ends this process: nothing is left behind.
  const onExit = () => registry.signalAll('SIGTERM');
  for (const signal of Object.keys(INTERRUPTED)) process.on(signal, handle);
  process.on('exit', onExit);
  return () => {
    for (const signal of Object.keys(INTERRUPTED)) process.off(signal, handle);
    process.off('exit', onExit);
  };
}

async function prepareHome(home: string): Promise<void> {
  const logs = join(home, 'logs');
  await mkdir(logs, { recursive: true });
  // Others may pass (Postgres can be another user), not look.
  await chmod(home, 0o711);
  for (const name of LOGS) {
    const file = join(logs, `${name}.log`);
    // One earlier run is kept: logs do not grow for ever.
    if (existsSync(file)) await rename(file, `${file}.1`);
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
