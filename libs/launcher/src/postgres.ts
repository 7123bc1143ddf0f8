import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chown, mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pg from 'pg';
import { type Child, startChild } from './child.js';
import { lastLines } from './log-file.js';
import { type PostgresBinaries, postgresBinaries } from './postgres-binaries.js';
import { type RunAs, serverUser } from './postgres-user.js';
import { waitUntil } from './wait.js';

export interface PostgresOptions {
  /** The cluster; made when it is not there. */
  dir: string;
  port: number;
  password: string;
  logFile: string;
  /** False only in tests: what was committed may be lost with the machine. */
  durable: boolean;
  signal?: AbortSignal;
  onStart?: (child: Child) => void;
}

export interface PostgresServer {
  child: Child;
  /** Connection string of a database of this server. */
  url: (database: string) => string;
}

/** The embedded Postgres on loopback, ready to take queries. */
export async function startPostgres(options: PostgresOptions): Promise<PostgresServer> {
  const binaries = await postgresBinaries();
  const user = await serverUser(options.dir, binaries.postgres);
  if (!existsSync(join(options.dir, 'PG_VERSION'))) await initialise(options, binaries, user);
  const child = await startChild({
    name: 'postgres',
    command: binaries.postgres,
    args: ['-D', options.dir, ...settings(options)],
    env: serverEnvironment(),
    cwd: '/',
    logFile: options.logFile,
    onStart: options.onStart,
    // SIGINT is Postgres' fast shutdown; SIGTERM would wait for every client to leave.
    stopSignal: 'SIGINT',
    user,
  });
  const url = (database: string) =>
    `postgres://sluice:${options.password}@127.0.0.1:${options.port}/${database}`;
  try {
    await waitUntil(() => query(url('postgres'), 'SELECT 1', [], PROBE_MS), {
      what: 'Postgres to take queries',
      timeoutMs: 60_000,
      intervalMs: 30,
      signal: options.signal,
      hopeless: () =>
        child.isRunning() ? undefined : `Postgres did not start:\n${lastLines(options.logFile)}`,
    });
  } catch (error) {
    await child.stop(5000);
    throw error;
  }
  return { child, url };
}

/** Creates the database unless it is there. `adminUrl` names any other database of the server. */
export async function ensureDatabase(adminUrl: string, name: string): Promise<void> {
  const found = await query(adminUrl, 'SELECT 1 FROM pg_database WHERE datname = $1', [name]);
  if (found.length === 0) await query(adminUrl, `CREATE DATABASE "${name}"`);
}

/** Of a server that may not be there yet, which is asked again. */
const PROBE_MS = 2000;
/** A busy machine takes seconds until it lets Postgres answer. */
const CONNECT_MS = 30_000;

/** One statement on a connection of its own. */
export async function query(
  url: string,
  sql: string,
  values: unknown[] = [],
  connectMs = CONNECT_MS,
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: connectMs });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return (await client.query(sql, values)).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** Made beside its place and renamed: a killed initdb leaves nothing that looks like a cluster. */
async function initialise(
  options: PostgresOptions,
  binaries: PostgresBinaries,
  user: RunAs | undefined,
): Promise<void> {
  const fresh = `${options.dir}.new`;
  const passwordFile = `${options.dir}.password`;
  await rm(fresh, { recursive: true, force: true });
  await rm(options.dir, { recursive: true, force: true });
  await mkdir(dirname(options.dir), { recursive: true });
  await mkdir(fresh, { mode: 0o700 });
  await writeFile(passwordFile, `${options.password}\n`, { mode: 0o600 });
  if (user) for (const path of [fresh, passwordFile]) await chown(path, user.uid, user.gid);
  try {
    const child = await startChild({
      name: 'initdb',
      command: binaries.initdb,
      args: [
        `--pgdata=${fresh}`,
        '--username=sluice',
        `--pwfile=${passwordFile}`,
        '--auth=scram-sha-256',
        '--encoding=UTF8',
        // The machine may have no locales at all.
        '--no-locale',
        '--no-sync',
      ],
      env: serverEnvironment(),
      cwd: '/',
      logFile: options.logFile,
      onStart: options.onStart,
      user,
    });
    const onAbort = () => child.kill('SIGKILL');
    options.signal?.addEventListener('abort', onAbort, { once: true });
    const { code } = await child.exited;
    options.signal?.removeEventListener('abort', onAbort);
    options.signal?.throwIfAborted();
    if (code !== 0) throw new Error(`Postgres could not make its files:\n${lastLines(options.logFile)}`);
  } finally {
    await rm(passwordFile, { force: true });
  }
  if (options.durable) await syncFileSystems();
  await rename(fresh, options.dir);
}

const syncFileSystems = () => new Promise<void>((resolve) => execFile('sync', () => resolve()));

function settings(options: PostgresOptions): string[] {
  const given: Record<string, string> = {
    listen_addresses: '127.0.0.1',
    port: String(options.port),
    // A socket file would need a directory that all users may write to.
    unix_socket_directories: '',
    max_connections: '200',
    shared_buffers: '64MB',
    log_min_messages: 'warning',
    ...(options.durable ? {} : { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off' }),
  };
  return Object.entries(given).flatMap(([key, value]) => ['-c', `${key}=${value}`]);
}

/** PG* variables of the person who starts us are about other servers. */
function serverEnvironment(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(([key]) => !/^(PG|LC_|LANG)/.test(key));
  return { ...Object.fromEntries(kept), LC_ALL: 'C', TZ: 'UTC' };
}
