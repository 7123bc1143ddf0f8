import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { DEFAULT_TENANT } from '#contracts';
import { type Stack, startStack } from '#testing';
import { type Backing, PRODUCTION } from '../backing.js';

export type Kind = 'ours' | 'redis' | 'streams';

/** Two gateways on the bench's Redis. */
export interface Contender {
  kind: Kind;
  name: string;
  urls: string[];
  pids: number[];
  redisUrl: string;
  /** Ids of new jobs that clients may follow. */
  newJobs(count: number): Promise<string[]>;
  /** SIGKILL for the first of the two. */
  killOne(): Promise<void>;
  stop(): Promise<void>;
}

const PEER = path.resolve('test/bench/progress/processes/peer.mjs');
const NAMES = { redis: 'Socket.IO, redis-adapter', streams: 'Socket.IO, redis-streams-adapter' };

export async function startContender(kind: Kind, backing: Backing): Promise<Contender> {
  return kind === 'ours' ? ours() : peers(kind, backing.redisUrl);
}

export async function ours(): Promise<Contender & { stack: Stack }> {
  const stack = await startStack({
    services: { upload: 0, transcode: 0, 'segment-upload': 0, gateway: 2 },
    env: PRODUCTION,
  });
  const gateways = stack.processes.gateway;
  return {
    kind: 'ours',
    name: 'Sluice',
    stack,
    urls: gateways.map(({ url }) => url),
    pids: gateways.map(({ process }) => process.pid),
    redisUrl: stack.redisUrl,
    async newJobs(count) {
      const jobs = Array.from({ length: count }, () => randomUUID());
      await stack.query(
        `WITH made AS (INSERT INTO assets (id, tenant_id, profile)
           SELECT id, $2, 'default' FROM unnest($1::uuid[]) AS id RETURNING id)
         INSERT INTO jobs (id, tenant_id, asset_id, status) SELECT id, $2, id, 'processing' FROM made`,
        [jobs, DEFAULT_TENANT],
      );
      return jobs;
    },
    killOne: () => stack.kill('gateway', 'SIGKILL', 0),
    stop: () => stack.stop(),
  };
}

async function peers(kind: 'redis' | 'streams', redisUrl: string): Promise<Contender> {
  const started = await Promise.all([startPeer(kind, redisUrl), startPeer(kind, redisUrl)]);
  const end = async ({ child }: { child: ChildProcess }) => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  return {
    kind,
    name: NAMES[kind],
    urls: started.map(({ url }) => url),
    pids: started.map(({ child }) => child.pid as number),
    redisUrl,
    newJobs: async (count) => Array.from({ length: count }, () => randomUUID()),
    killOne: () => end(started[0]),
    stop: async () => {
      await Promise.all(started.map(end));
    },
  };
}

async function startPeer(kind: Kind, redisUrl: string) {
  const child = spawn(process.execPath, [PEER, kind, redisUrl], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const [port] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { child, url: `http://127.0.0.1:${port}` };
}
