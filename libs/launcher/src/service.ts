import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '#contracts';
import { type Child, startChild } from './child.js';
import { lastLines } from './log-file.js';
import { waitUntil } from './wait.js';

const DIST = fileURLToPath(new URL('../../../', import.meta.url));
/** A first start migrates; a busy machine takes its time. */
const HEALTHY_WITHIN_MS = 60_000;

export interface ServiceOptions {
  /** Where it will answer, for us. */
  url: string;
  env: NodeJS.ProcessEnv;
  logFile: string;
  signal?: AbortSignal;
  onStart?: (child: Child) => void;
}

/** One of the four services as a process of its own; resolves when its `/health` is 200, else throws with the end of its log. */
export async function startService(name: ServiceName, options: ServiceOptions): Promise<Child> {
  const child = await startChild({
    name,
    command: process.execPath,
    args: ['--enable-source-maps', join(DIST, 'services', `${name}.mjs`)],
    env: options.env,
    logFile: options.logFile,
    onStart: options.onStart,
  });
  try {
    await waitUntil(
      async () => (await fetch(`${options.url}/health`, { signal: AbortSignal.timeout(2000) })).ok,
      {
        what: `${name} to be healthy at ${options.url}`,
        timeoutMs: HEALTHY_WITHIN_MS,
        signal: options.signal,
        hopeless: () => (child.isRunning() ? undefined : `${name} ended while starting`),
      },
    );
    return child;
  } catch (error) {
    await child.stop(options.signal?.aborted ? 5000 : 0);
    options.signal?.throwIfAborted();
    throw new Error(
      `${(error as Error).message}; ${options.logFile} ends with:\n${lastLines(options.logFile)}`,
    );
  }
}
