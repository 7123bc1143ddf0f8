import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/**
 * Who has this process id: changes when the id is given to another process or the machine starts
 * anew. Null when nobody has it.
 */
export function identityOf(pid) {
  try {
    if (process.platform === 'linux') {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      // The name in parentheses may hold anything; state and start time are fields 3 and 22.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] === 'Z' || fields[0] === 'X') return null;
      return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${fields[19]}`;
    }
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' }).trim();
    return started || null;
  } catch {
    return null;
  }
}

export const isSame = (pid, identity) => identity !== null && identityOf(pid) === identity;
