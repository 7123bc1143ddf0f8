import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface ChildOptions {
  name: string;
  command: string;
  args: string[];
  env?: NodeJS.ProcessEnv;
  cwd?: string;
  /** stdout and stderr are appended to this file; nothing passes through our memory. */
  logFile: string;
  /** Written to stdin, which is then closed. */
  input?: string;
  /** What asks it to stop, also when we die without saying so. */
  stopSignal?: 'SIGTERM' | 'SIGINT';
  /** Only when we are root: run as this user. */
  user?: { uid: number; gid: number; reachAll: boolean };
  /** As soon as it runs, long before it is ready for anything. */
  onStart?: (child: Child) => void;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A process that we started and answer for. It never outlives us where the system can see to that. */
export interface Child {
  readonly name: string;
  readonly pid: number;
  readonly logFile: string;
  /** Resolves when the process is gone; never rejects. */
  readonly exited: Promise<Exit>;
  isRunning(): boolean;
  kill(signal: NodeJS.Signals): void;
  /** Asks; kills with SIGKILL, with everything in its process group, when it is still there after `graceMs`. */
  stop(graceMs: number): Promise<Exit>;
}

/**
 * Children lead process groups of their own, so that Ctrl-C in a terminal reaches only us and we
 * decide the order in which things stop.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  await mkdir(dirname(options.logFile), { recursive: true });
  const log = openSync(options.logFile, 'a', 0o600);
  const stopSignal = options.stopSignal ?? 'SIGTERM';
  const [command, args] = withDeathSignal(options, stopSignal);
  let process: ChildProcess;
  try {
    process = spawn(command, args, {
      cwd: options.cwd,
      env: options.env,
      detached: true,
      stdio: [options.input === undefined ? 'ignore' : 'pipe', log, log],
      ...(options.user && !hasSetpriv() ? { uid: options.user.uid, gid: options.user.gid } : {}),
    });
  } finally {
    closeSync(log);
  }
  process.stdin?.on('error', () => undefined);
  process.stdin?.end(options.input);
  const pid = await new Promise<number>((resolve, reject) => {
    process.once('spawn', () => resolve(process.pid as number));
    process.once('error', (error) =>
      reject(new Error(`${options.name} could not be started: ${error.message}`)),
    );
  });
  const child = watched(process, pid, options, stopSignal);
  options.onStart?.(child);
  return child;
}

function watched(
  process: ChildProcess,
  pid: number,
  options: ChildOptions,
  stopSignal: NodeJS.Signals,
): Child {
  let running = process.exitCode === null && process.signalCode === null;
  const exited = new Promise<Exit>((resolve) => {
    const done = () => {
      running = false;
      resolve({ code: process.exitCode, signal: process.signalCode });
    };
    if (!running) done();
    else process.once('exit', done);
  });
  const killGroup = () => {
    try {
      globalThis.process.kill(-pid, 'SIGKILL');
    } catch {
      process.kill('SIGKILL');
    }
  };
  return {
    name: options.name,
    pid,
    logFile: options.logFile,
    exited,
    isRunning: () => running,
    kill: (signal) => {
      if (running) process.kill(signal);
    },
    async stop(graceMs) {
      if (!running) return exited;
      process.kill(stopSignal);
      // A stopped process (SIGSTOP) does not see a signal before it goes on.
      process.kill('SIGCONT');
      const timer = setTimeout(killGroup, graceMs);
      try {
        return await exited;
      } finally {
        clearTimeout(timer);
      }
    },
  };
}

let setpriv: boolean | undefined;

/** util-linux, so on every ordinary Linux; its busybox namesake does not know the option. */
export function hasSetpriv(): boolean {
  if (setpriv === undefined) {
    try {
      execFileSync('setpriv', ['--pdeathsig', 'keep', 'true'], { stdio: 'ignore' });
      setpriv = true;
    } catch {
      setpriv = false;
    }
  }
  return setpriv;
}

/** setpriv replaces itself with the command: the process id is the command's. */
function withDeathSignal(options: ChildOptions, signal: string): [string, string[]] {
  if (!hasSetpriv()) return [options.command, options.args];
  const { user } = options;
  const identity = user ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups'] : [];
  const reach = user?.reachAll ? ['--inh-caps=+dac_override', '--ambient-caps=+dac_override'] : [];
  return [
    'setpriv',
    ['--pdeathsig', signal.slice(3), ...identity, ...reach, '--', options.command, ...options.args],
  ];
}
