import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { fenced, lowerPriority } from './fence.js';
import { LineReader } from './lines.js';
import { endSession, signalGroup } from './process-group.js';
import { Growth, type StallRule, type WatchRules, watch } from './watchdog.js';

export type { StallRule };

export interface RunOptions extends WatchRules {
  signal?: AbortSignal;
  /** Address space in bytes; a run that wants more fails by itself. Where there is no prlimit it has no effect. */
  memoryBytes?: number;
  /** Called for every line of stdout; the line's end is the back-pressure. What it throws ends the run. */
  onLine?: (line: string) => void;
  /** 0 is normal, 19 the least urgent. */
  nice?: number;
}

export interface RunResult {
  /** The last lines of stderr, at most 8 KiB. */
  stderr: string;
}

/** ffmpeg or ffprobe ended in another way than well. `exitCode` is null when a signal ended it. */
export class ToolError extends Error {
  constructor(
    message: string,
    readonly exitCode: number | null,
    readonly signalName: NodeJS.Signals | null,
    readonly stderr: string,
  ) {
    super(message);
    this.name = 'ToolError';
  }
}

type Ended = [code: number | null, signalName: NodeJS.Signals | null];

const STDERR_BYTES = 8192;
const TERM_TO_KILL_MS = 2000;
/** A killed process in the middle of a disk operation ends when that does. */
const KILL_PATIENCE_MS = 10_000;
/** What a process wrote before its end is read; a pipe that somebody else holds open is not waited for longer. */
const REST_OF_OUTPUT_MS = 2000;

/**
 * The one place that runs ffmpeg and ffprobe: a session of its own, death with its parent, bounded
 * stderr, `-progress` watched by a timer, SIGTERM and then SIGKILL on abort, stall or time limit.
 * Settles only when the process is gone and all that it started, however it ended.
 */
export async function runTool(binary: string, args: string[], options: RunOptions): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const [command = binary, ...rest] = fenced([binary, ...args], options.memoryBytes);
  const child = spawn(command, rest, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const stderr = tail(child.stderr, STDERR_BYTES);
  const growth = new Growth(options.stall?.measure);
  let reason: Error | null = null;
  let killTimer: NodeJS.Timeout | undefined;
  const end = (why: Error) => {
    if (reason || child.pid === undefined) return;
    reason = why;
    const { pid } = child;
    signalGroup(pid, 'SIGTERM');
    // One that is stopped sees no signal but SIGKILL before it goes on.
    signalGroup(pid, 'SIGCONT');
    killTimer = setTimeout(() => signalGroup(pid, 'SIGKILL'), TERM_TO_KILL_MS);
  };
  const lines = new LineReader((line) => {
    growth.read(line);
    if (reason) return;
    try {
      options.onLine?.(line);
    } catch (error) {
      end(error instanceof Error ? error : new Error(String(error)));
    }
  });
  child.stdout.on('data', (bytes: Buffer) => lines.add(bytes)).once('end', () => lines.end());
  const { signal } = options;
  const onAbort = () => end(signal?.reason instanceof Error ? signal.reason : new Error('aborted'));
  signal?.addEventListener('abort', onAbort, { once: true });
  const watchdog = watch(options, growth, end);
  try {
    if (options.nice && child.pid !== undefined) lowerPriority(child.pid, options.nice);
    const [code, signalName] = await ended(child);
    if (reason) throw reason;
    if (code !== 0) {
      const last = stderr().trim().split('\n').slice(-3).join(' | ');
      throw new ToolError(`${binary} ended with ${code ?? signalName}: ${last}`, code, signalName, stderr());
    }
    return { stderr: stderr() };
  } finally {
    clearInterval(watchdog);
    clearTimeout(killTimer);
    signal?.removeEventListener('abort', onAbort);
  }
}

/** Resolves when the process has ended, its children are gone too, and what it wrote has been read. */
async function ended(child: ChildProcess): Promise<Ended> {
  const closed = once(child, 'close');
  closed.catch(() => undefined);
  const exit = (await once(child, 'exit')) as Ended;
  const left = await endSession(child.pid as number, KILL_PATIENCE_MS);
  const timer = setTimeout(() => {
    child.stdout?.destroy();
    child.stderr?.destroy();
  }, REST_OF_OUTPUT_MS);
  await closed;
  clearTimeout(timer);
  if (left.length > 0) throw new Error(`processes ${left.join(', ')} cannot be ended`);
  return exit;
}

function tail(stream: Readable, bytes: number): () => string {
  let kept = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk.length > bytes ? chunk.subarray(chunk.length - bytes) : chunk]);
    if (kept.length > bytes) kept = Buffer.from(kept.subarray(kept.length - bytes));
  });
  return () => kept.toString('utf8');
}
