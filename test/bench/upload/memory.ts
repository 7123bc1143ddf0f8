import { readFileSync, writeFileSync } from 'node:fs';

const MIB = 1024;

function field(pid: number, name: 'VmRSS' | 'VmHWM'): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  if (!found) throw new Error(`/proc/${pid}/status has no ${name}`);
  return Number(found[1]) / MIB;
}

/** Resident now, in MiB. */
export const residentMb = (pid: number) => field(pid, 'VmRSS');

/** The most that was resident since `forgetPeak`, in MiB (proc(5): 5 in clear_refs resets the high-water mark). */
export const peakMb = (pid: number) => field(pid, 'VmHWM');

export const forgetPeak = (pid: number) => writeFileSync(`/proc/${pid}/clear_refs`, '5');
