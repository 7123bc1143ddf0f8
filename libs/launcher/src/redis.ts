import { mkdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { type Child, startChild } from './child.js';
import { lastLines } from './log-file.js';
import { waitUntil } from './wait.js';

export interface RedisOptions {
  dir: string;
  port: number;
  password: string;
  logFile: string;
  /** False only in tests: nothing is written to disk. */
  durable: boolean;
  databases?: number;
  signal?: AbortSignal;
  onStart?: (child: Child) => void;
}

export interface RedisServer {
  child: Child;
  url: string;
}

/**
 * A `redis-server` of our own on loopback, ready to take commands. The configuration goes in through
 * stdin: a password on the command line could be read by every user of the machine.
 */
export async function startRedis(options: RedisOptions): Promise<RedisServer> {
  await mkdir(options.dir, { recursive: true });
  const child = await startChild({
    name: 'redis',
    command: 'redis-server',
    args: ['-'],
    cwd: options.dir,
    logFile: options.logFile,
    onStart: options.onStart,
    input: configuration(options),
  });
  try {
    await waitUntil(() => answers(options.port, options.password), {
      what: 'Redis to take commands',
      timeoutMs: 60_000,
      intervalMs: 20,
      signal: options.signal,
      hopeless: () => (child.isRunning() ? undefined : `Redis did not start:\n${lastLines(options.logFile)}`),
    });
  } catch (error) {
    await child.stop(2000);
    throw error;
  }
  return { child, url: `redis://:${options.password}@127.0.0.1:${options.port}` };
}

function configuration(options: RedisOptions): string {
  return [
    'bind 127.0.0.1',
    `port ${options.port}`,
    `requirepass ${options.password}`,
    `databases ${options.databases ?? 16}`,
    'daemonize no',
    // Queue entries must not be evicted: BullMQ refuses to work with any other policy.
    'maxmemory-policy noeviction',
    `appendonly ${options.durable ? 'yes' : 'no'}`,
    'appendfsync everysec',
    'save ""',
    '',
  ].join('\n');
}

function answers(port: number, password: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    let received = '';
    const end = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => end(false));
    socket.on('error', () => end(false));
    socket.on('close', () => resolve(false));
    socket.on('connect', () => socket.write(`AUTH ${password}\r\nPING\r\n`));
    socket.on('data', (data) => {
      received += data.toString('latin1');
      if (received.includes('+PONG')) end(true);
      else if (received.includes('\n-')) end(false);
    });
  });
}
