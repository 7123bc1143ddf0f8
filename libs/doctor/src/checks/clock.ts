import { type Finding, failed, ok, warning } from '../finding.js';

/** Retries and delays in queues are off by as much. */
const NOTED_MS = 2000;
/** Tokens are taken for not yet valid or over (60 s of leeway). */
const WRONG_MS = 60_000;

/** Compares a server's clock, asked between two of our own readings, with ours. */
export function clockFinding(server: string, theirs: number, before: number, after: number): Finding {
  const off = Math.max(before - theirs, theirs - after, 0);
  const says = `this machine and ${server} differ by ${(off / 1000).toFixed(1)} s`;
  const mend = 'Let NTP set the clocks of all machines (timedatectl set-ntp true).';
  if (off >= WRONG_MS) return failed('clock', says, mend);
  return off >= NOTED_MS ? warning('clock', says, mend) : ok('clock', `as that of ${server}`);
}
