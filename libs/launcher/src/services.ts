import { join } from 'node:path';
import type { ServiceName } from '#contracts';
import { freePort } from './ports.js';
import type { ChildRegistry } from './registry.js';
import { startService } from './service.js';
import { Supervised } from './supervised.js';

/** Preferred ports; taken ones are replaced by free ones. */
const PORTS: Record<ServiceName, { key: string; preferred: number }> = {
  gateway: { key: 'GATEWAY_PORT', preferred: 4100 },
  upload: { key: 'UPLOAD_PORT', preferred: 4101 },
  transcode: { key: 'TRANSCODE_PORT', preferred: 4102 },
  'segment-upload': { key: 'SEGMENT_UPLOAD_PORT', preferred: 4103 },
};
/** From the table above: the contracts' own list would load every validator before anything is started. */
export const SERVICES = Object.keys(PORTS) as ServiceName[];
/** Keys that lead a command to the same database, queues, objects and services. */
const CHOSEN = new Set([
  ...['DATABASE_URL', 'REDIS_URL', 'STORAGE_DIR', 'SCRATCH_DIR', 'INTERNAL_SECRET'],
  ...['PUBLIC_UPLOAD_URL', 'PUBLIC_GATEWAY_URL', 'ALLOWED_ORIGINS'],
  ...Object.values(PORTS).map(({ key }) => key),
]);
const STOP_WITHIN_MS = 10_000;

export interface ServicesOptions {
  home: string;
  secret: string;
  redisUrl: string;
  databaseUrl: string;
  registry: ChildRegistry;
  say: (line: string) => void;
}

/** The four services; what the person has set in the environment stands above what is chosen here. */
export async function planServices(options: ServicesOptions) {
  const { home, registry, say } = options;
  const ports = await choosePorts();
  const env: NodeJS.ProcessEnv = {
    STORAGE_DIR: join(home, 'storage'),
    SCRATCH_DIR: join(home, 'scratch'),
    // Loading modules is most of a start; Node 22 and later keep what they compiled, earlier ones ignore this.
    NODE_COMPILE_CACHE: join(home, 'compile-cache'),
    // Ctrl-C is to be over within seconds; a span that is cut short goes on at the next start.
    SHUTDOWN_GRACE_SECONDS: '3',
    INTERNAL_SECRET: options.secret,
    PUBLIC_UPLOAD_URL: `http://localhost:${ports.upload}`,
    PUBLIC_GATEWAY_URL: `http://localhost:${ports.gateway}`,
    ...withoutEmpty(process.env),
    REDIS_URL: options.redisUrl,
    DATABASE_URL: options.databaseUrl,
    ...Object.fromEntries(SERVICES.map((name) => [PORTS[name].key, String(ports[name])])),
    ALLOWED_ORIGINS: [
      `http://localhost:${ports.gateway}`,
      `http://127.0.0.1:${ports.gateway}`,
      process.env.ALLOWED_ORIGINS ?? '',
    ].join(','),
  };
  const parts = SERVICES.map(
    (name) =>
      new Supervised(name, {
        start: (signal) =>
          startService(name, {
            url: local(ports[name]),
            env,
            logFile: join(home, 'logs', `${name}.log`),
            signal,
            onStart: registry.add,
          }),
        stopWithinMs: STOP_WITHIN_MS,
        say,
      }),
  );
  return {
    parts,
    /** What this start has chosen, for commands that join it; a key that is not among them has its default. */
    environment: Object.fromEntries(Object.entries(env).filter(([key]) => CHOSEN.has(key))) as Record<
      string,
      string
    >,
    /** As in libs/config, whose check would load every validator before anything is started. */
    isOpen: (env.AUTH_MODE ?? 'open') === 'open',
    /** For us. */
    gatewayUrl: local(ports.gateway),
    uploadUrl: local(ports.upload),
    /** For a person's browser. */
    publicUrl: String(env.PUBLIC_GATEWAY_URL).replace(/\/+$/, ''),
  };
}

const local = (port: number) => `http://127.0.0.1:${port}`;

async function choosePorts(): Promise<Record<ServiceName, number>> {
  const taken = new Set<number>();
  const chosen: Record<ServiceName, number> = { upload: 0, transcode: 0, 'segment-upload': 0, gateway: 0 };
  for (const name of SERVICES) {
    const { key, preferred } = PORTS[name];
    chosen[name] = await freePort(Number(process.env[key]) || preferred, taken);
    taken.add(chosen[name]);
  }
  return chosen;
}

/** An empty variable counts as not given, as in libs/config. */
function withoutEmpty(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
}
