import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { ENVIRONMENT_KEYS } from '#config';
import { SERVICES, type ServiceName } from '#contracts';
import { createTestDatabase } from './database.js';
import { testDir } from './environment.js';
import { testPort } from './ports.js';
import { descendantsOf, stillRunning } from './processes.js';
import { testRedisUrl } from './redis.js';
import { TestService } from './service.js';
import { waitFor } from './wait.js';

export interface StackOptions {
  /** Over the defaults below, for every service. `REDIS_URL` and `DATABASE_URL` replace the stack's own. */
  env?: Record<string, string>;
  /** How many processes of each; 1 where nothing is said, 0 leaves a service out. */
  services?: Partial<Record<ServiceName, number>>;
}

/** The real services as processes of their own, on a database, Redis, store and scratch of their own. */
export interface Stack {
  /** Base URL of the first process of each service. */
  urls: Record<ServiceName, string>;
  databaseUrl: string;
  redisUrl: string;
  storageDir: string;
  /** Every process, by service. */
  processes: Record<ServiceName, TestService[]>;
  /** SIGKILL unless said otherwise; resolves when the process is gone (at once for SIGSTOP and the like). */
  kill(service: ServiceName, signal?: NodeJS.Signals, index?: number): Promise<void>;
  /** Same port, same scratch; resolves when it is healthy. */
  restart(service: ServiceName, index?: number): Promise<void>;
  /** Everything the process has logged so far, over its restarts. */
  logs(service: ServiceName, index?: number): Promise<string>;
  query(sql: string, values?: unknown[]): Promise<Record<string, unknown>[]>;
  /** Stops everything and fails when a process, of whatever depth, is left behind; removes all that was stored. */
  stop(): Promise<void>;
}

/** Faults are to be noticed in a second, not in ten. */
const QUICK: Record<string, string> = {
  NODE_ENV: 'test',
  QUEUE_LOCK_SECONDS: '1',
  LEASE_SECONDS: '2',
  RECONCILE_INTERVAL_SECONDS: '1',
  SHUTDOWN_GRACE_SECONDS: '2',
  DATABASE_POOL_SIZE: '5',
  // Whoever tests these turns them on.
  POSTER: 'false',
  STORYBOARD_TILES: '0',
  QUALITY_SAMPLES: '0',
};

const PORT_KEYS: Record<ServiceName, string> = {
  upload: 'UPLOAD_PORT',
  transcode: 'TRANSCODE_PORT',
  'segment-upload': 'SEGMENT_UPLOAD_PORT',
  gateway: 'GATEWAY_PORT',
};

export async function startStack(options: StackOptions = {}): Promise<Stack> {
  const dir = await testDir('stack');
  const database = await createTestDatabase();
  const redisUrl = options.env?.REDIS_URL ?? (await testRedisUrl());
  const storageDir = join(dir, 'storage');
  await mkdir(storageDir);
  const ports = await choosePorts(options);
  const urlOf = (service: ServiceName) => `http://127.0.0.1:${ports[service][0]}`;
  const common = {
    ...inheritedEnvironment(),
    ...QUICK,
    DATABASE_URL: database.url,
    REDIS_URL: redisUrl,
    STORAGE_DIR: storageDir,
    INTERNAL_SECRET: 'a secret of the tests, long enough to be one',
    ALLOWED_ORIGINS: ports.gateway
      .flatMap((port) => [`http://127.0.0.1:${port}`, `http://localhost:${port}`])
      .join(','),
    PUBLIC_UPLOAD_URL: urlOf('upload'),
    PUBLIC_GATEWAY_URL: urlOf('gateway'),
    ...options.env,
  };
  const start = (service: ServiceName, port: number, index: number) =>
    TestService.start(service, `http://127.0.0.1:${port}`, {
      env: {
        ...common,
        [PORT_KEYS[service]]: String(port),
        SCRATCH_DIR: join(dir, `scratch-${service}-${index}`),
      },
      logFile: join(dir, `${service}-${index}.log`),
    });
  const started = await Promise.allSettled(
    SERVICES.flatMap((service) => ports[service].map((port, index) => start(service, port, index))),
  );
  const running = started.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  const cleanUp = async () => {
    await database.drop();
    await rm(dir, { recursive: true, force: true, maxRetries: 3 });
  };
  const failure = started.find((result) => result.status === 'rejected');
  if (failure) {
    await Promise.all(running.map((service) => service.process.stop(0)));
    await cleanUp();
    throw failure.reason;
  }

  const processes = Object.fromEntries(
    SERVICES.map((name) => [name, running.filter((service) => service.name === name)]),
  ) as Record<ServiceName, TestService[]>;
  const processOf = (service: ServiceName, index: number): TestService => {
    const found = processes[service][index];
    if (!found) throw new Error(`this stack has no ${service} ${index}`);
    return found;
  };
  return {
    urls: Object.fromEntries(SERVICES.map((name) => [name, urlOf(name)])) as Record<ServiceName, string>,
    databaseUrl: common.DATABASE_URL,
    redisUrl,
    storageDir,
    processes,
    kill: (service, signal = 'SIGKILL', index = 0) => processOf(service, index).end(signal),
    restart: (service, index = 0) => processOf(service, index).restart(),
    logs: (service, index = 0) => readFile(processOf(service, index).logFile, 'utf8'),
    query: database.query,
    async stop() {
      try {
        await stopAll(running);
      } finally {
        await cleanUp();
      }
    },
  };
}

async function stopAll(running: TestService[]): Promise<void> {
  const before = running.flatMap((service) => descendantsOf(service.process.pid));
  // Longer than the services give themselves (SHUTDOWN_GRACE_SECONDS and five more).
  await Promise.all(running.map((service) => service.process.stop(15_000)));
  await waitFor(() => stillRunning(before).length === 0, {
    timeoutMs: 3000,
    what: 'the children to be gone',
  }).catch(() => {
    const left = stillRunning(before);
    for (const { pid } of left) process.kill(pid, 'SIGKILL');
    throw new Error(`left behind:\n${left.map(({ pid, command }) => `${pid} ${command}`).join('\n')}`);
  });
}

async function choosePorts(options: StackOptions): Promise<Record<ServiceName, number[]>> {
  const taken = new Set<number>();
  const ports: Record<ServiceName, number[]> = {
    upload: [],
    transcode: [],
    'segment-upload': [],
    gateway: [],
  };
  for (const service of SERVICES) {
    for (let index = 0; index < (options.services?.[service] ?? 1); index++) {
      const port = await testPort(taken);
      taken.add(port);
      ports[service].push(port);
    }
  }
  return ports;
}

/** What the person who runs the tests has set for a service of theirs is not for these. */
function inheritedEnvironment(): NodeJS.ProcessEnv {
  const ours = new Set(ENVIRONMENT_KEYS);
  const kept = Object.entries(process.env).filter(([key]) => !ours.has(key) && !key.startsWith('VITEST'));
  return Object.fromEntries(kept);
}
