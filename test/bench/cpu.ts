import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

interface Stat {
  parent: number;
  /** Ticks of the process and of the children that it has waited for. */
  ticks: number;
  /** Of these, the children's. */
  waited: number;
}

/** proc(5): the name in parentheses may hold anything; what follows it is numbers. */
function statOf(pid: number | 'self'): Stat | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [user = 0, system = 0, childUser = 0, childSystem = 0] = fields.slice(11, 15);
  const waited = childUser + childSystem;
  return { parent: fields[1] ?? 0, ticks: user + system + waited, waited };
}

/**
 * CPU seconds that these processes and all below them have used so far. What a process has waited for
 * is in its own count, so the difference of two readings holds those that came and went in between.
 */
export function cpuSecondsOf(roots: number[]): number {
  const stats = new Map<number, Stat>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    const stat = Number.isInteger(pid) ? statOf(pid) : null;
    if (stat) stats.set(pid, stat);
  }
  let ticks = 0;
  const visit = (pid: number) => {
    ticks += stats.get(pid)?.ticks ?? 0;
    for (const [child, { parent }] of stats) if (parent === pid) visit(child);
  };
  for (const root of new Set(roots)) visit(root);
  return ticks / TICKS_PER_SECOND;
}

/** CPU seconds of all children that this process has waited for: what wait4 reports, to a hundredth of a second. */
export function cpuSecondsOfEndedChildren(): number {
  return (statOf('self')?.waited ?? 0) / TICKS_PER_SECOND;
}
