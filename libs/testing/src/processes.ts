import { execFileSync } from 'node:child_process';

export interface RunningProcess {
  pid: number;
  parent: number;
  command: string;
}

/** Every process of the machine, zombies left out (they are gone but for their parent's notice). */
export function runningProcesses(): RunningProcess[] {
  const listed = execFileSync('ps', ['-A', '-ww', '-o', 'pid=,ppid=,stat=,args='], {
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  return listed.split('\n').flatMap((line) => {
    const match = /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line);
    if (!match || match[3]?.startsWith('Z')) return [];
    return [{ pid: Number(match[1]), parent: Number(match[2]), command: match[4] ?? '' }];
  });
}

/** The processes below `pid`, to any depth, without itself. */
export function descendantsOf(pid: number, all: RunningProcess[] = runningProcesses()): RunningProcess[] {
  const direct = all.filter((process) => process.parent === pid);
  return direct.flatMap((process) => [process, ...descendantsOf(process.pid, all)]);
}

/** Which of these still run: the same id with the same command line. */
export function stillRunning(earlier: RunningProcess[]): RunningProcess[] {
  const now = new Map(runningProcesses().map((process) => [process.pid, process.command]));
  return earlier.filter((process) => now.get(process.pid) === process.command);
}
