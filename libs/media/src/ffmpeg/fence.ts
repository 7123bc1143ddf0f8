import { existsSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/** On Linux a child dies with us even when we are killed; a plain child would go on writing. */
const SETPRIV = findTool('setpriv');
const PRLIMIT = findTool('prlimit');

function findTool(name: string): string | undefined {
  return [`/usr/bin/${name}`, `/bin/${name}`].find((path) => existsSync(path));
}

/** The command within its limits; each of the tools in front replaces itself with what follows. */
export function fenced(command: string[], memoryBytes: number | undefined): string[] {
  return [
    ...(SETPRIV ? [SETPRIV, '--pdeathsig', 'KILL', '--'] : []),
    ...(PRLIMIT && memoryBytes !== undefined ? [PRLIMIT, `--as=${memoryBytes}`, '--'] : []),
    ...command,
  ];
}

/**
 * Each run is a session of its own, and Linux shares processors between sessions first (autogroups): there
 * the nice value counts only among the threads of one run, so the group gets it, too (sched(7)).
 */
export function lowerPriority(pid: number, nice: number): void {
  try {
    setPriority(pid, nice);
    writeFileSync(`/proc/${pid}/autogroup`, String(nice));
  } catch {
    // It ended already, or there is no such thing here: the run matters more.
  }
}
