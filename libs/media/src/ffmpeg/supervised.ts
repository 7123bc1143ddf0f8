import { spawn } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';
import type { Readable } from 'node:stream';
import { SluiceError } from '#contracts';
import { LineReader } from './lines.js';

export interface StallRule {
  /** Milliseconds without any growth before a run counts as hanging (S4-02). */
  stallMs: number;
  /** Milliseconds at the start during which nothing is expected. */
  graceMs: number;
}

export interface RunOptions {
  signal?: AbortSignal;
  /** Working time in milliseconds after which the run is ended (S4-03); time held does not count. */
  limitMs: number;
  stall?: StallRule;
  /** Address space in bytes; a run that wants more fails by itself. Where there is no prlimit it has no effect. */
  memoryBytes?: number;
  /** Called for every line of stdout; the line's end is the back-pressure. */
  onLine?: (line: string) => void;
  /** 0 is normal, 19 the least urgent. */
  nice?: number;
  /** True while we ourselves withhold input or output: the clocks stand still. */
  isHeld?: () => boolean;
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

const STDERR_BYTES = 8192;
const TERM_TO_KILL_MS = 2000;
const TICK_MS = 250;

/** On Linux a child dies with us even when we are killed; a plain child would go on writing. */
const SETPRIV = findTool('setpriv');
const PRLIMIT = findTool('prlimit');

/**
 * The one place that runs ffmpeg and ffprobe: own process group, death with its parent, bounded
 * stderr, `-progress` watched by a timer of its own (a stopped ffmpeg writes no line at all),
 * SIGTERM and then SIGKILL on abort, stall or time limit. Resolves only when the process is gone.
 */
export async function runTool(binary: string, args: string[], options: RunOptions): Promise<RunResult> {
  options.signal?.throwIfAborted();
  const [command, ...commandArgs] = fenced([binary, ...args], options.memoryBytes);
  const child = spawn(command as string, commandArgs, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const stderr = tail(child.stderr, STDERR_BYTES);
  let reason: Error | null = null;
  let killTimer: NodeJS.Timeout | undefined;
  const kill = (name: NodeJS.Signals) => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, name);
    } catch {
      // gone already
    }
  };
  const end = (why: Error) => {
    if (reason) return;
    reason = why;
    kill('SIGTERM');
    killTimer = setTimeout(() => kill('SIGKILL'), TERM_TO_KILL_MS);
  };
  const onAbort = () =>
    end(options.signal?.reason instanceof Error ? options.signal.reason : new Error('aborted'));
  options.signal?.addEventListener('abort', onAbort, { once: true });

  const growth = new Growth();
  const lines = new LineReader((line) => {
    growth.read(line);
    options.onLine?.(line);
  });
  child.stdout.on('data', (bytes: Buffer) => lines.add(bytes)).once('end', () => lines.end());
  const watchdog = watch(options, growth, end);
  try {
    if (options.nice && child.pid !== undefined) lowerPriority(child.pid, options.nice);
    const [code, signalName] = await new Promise<[number | null, NodeJS.Signals | null]>(
      (resolve, reject) => {
        child.once('error', reject);
        child.once('close', (...ended) => resolve(ended));
      },
    );
    if (reason) throw reason;
    if (code !== 0) {
      const last = stderr().trim().split('\n').slice(-3).join(' | ');
      throw new ToolError(`${binary} ended with ${code ?? signalName}: ${last}`, code, signalName, stderr());
    }
    return { stderr: stderr() };
  } finally {
    clearInterval(watchdog);
    clearTimeout(killTimer);
    options.signal?.removeEventListener('abort', onAbort);
    kill('SIGKILL');
  }
}

function findTool(name: string): string | undefined {
  return [`/usr/bin/${name}`, `/bin/${name}`].find((path) => existsSync(path));
}

function fenced(command: string[], memoryBytes: number | undefined): string[] {
  return [
    ...(SETPRIV ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : []),
    ...(PRLIMIT && memoryBytes !== undefined ? [PRLIMIT, `--as=${memoryBytes}`, '--'] : []),
    ...command,
  ];
}

/** What `-progress` says of the run; only growth counts, a repeated number does not (S4-02). */
class Growth {
  outTimeUs = -1;
  private totalSize = -1;
  private grown = false;

  read(line: string): void {
    const [key, value] = line.split('=', 2);
    if (key === 'out_time_us') this.outTimeUs = this.note(Number(value), this.outTimeUs);
    else if (key === 'total_size') this.totalSize = this.note(Number(value), this.totalSize);
  }

  /** Whether anything grew since the last call. */
  take(): boolean {
    const grown = this.grown;
    this.grown = false;
    return grown;
  }

  private note(value: number, before: number): number {
    if (!(value > before)) return before;
    this.grown = true;
    return value;
  }
}

function watch(options: RunOptions, growth: Growth, end: (why: Error) => void): NodeJS.Timeout {
  let worked = 0;
  let idle = 0;
  return setInterval(() => {
    if (options.isHeld?.()) {
      idle = 0;
      return;
    }
    worked += TICK_MS;
    idle = growth.take() ? 0 : idle + TICK_MS;
    if (worked > options.limitMs) {
      end(
        new SluiceError(
          'encode_timeout',
          `ffmpeg worked longer than the ${Math.round(options.limitMs / 1000)} s it was given.`,
        ),
      );
    } else if (options.stall && worked > options.stall.graceMs && idle > options.stall.stallMs) {
      end(
        new SluiceError('encode_stalled', `ffmpeg made no progress for ${Math.round(idle / 1000)} s.`, {
          details: { stalled_ms: idle, last_out_time_us: growth.outTimeUs },
        }),
      );
    }
  }, TICK_MS);
}

function tail(stream: Readable, bytes: number): () => string {
  let kept = Buffer.alloc(0);
  stream.on('data', (chunk: Buffer) => {
    kept = Buffer.concat([kept, chunk]);
    if (kept.length > bytes) kept = Buffer.from(kept.subarray(kept.length - bytes));
  });
  return () => kept.toString('utf8');
}

/**
 * Each run is a session of its own, and Linux shares processors between sessions first (autogroups): there
 * the nice value counts only among the threads of one run, so the group gets it, too (sched(7)).
 */
function lowerPriority(pid: number, nice: number): void {
  try {
    setPriority(pid, nice);
    writeFileSync(`/proc/${pid}/autogroup`, String(nice));
  } catch {
    // It ended already, or there is no such thing here: the run matters more.
  }
}
