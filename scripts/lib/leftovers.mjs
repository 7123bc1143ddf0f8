import { appendFileSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { identityOf, isSame } from './processes.mjs';
import { say } from './say.mjs';

const fileIn = (home) => join(home, 'processes');
const GRACE_MS = 10_000;

/** Written down for the case that we cannot stop what we started. */
export function rememberProcess(home, name, pid) {
  appendFileSync(fileIn(home), `${JSON.stringify({ name, pid, identity: identityOf(pid) })}\n`);
}

/** To be called when all have ended. */
export const forgetProcesses = (home) => rmSync(fileIn(home), { force: true });

/** Ends what an earlier run, which was killed, may have left; never a process that only has the same id. */
export async function endLeftovers(home) {
  const alive = () => remembered(home).filter(({ pid, identity }) => isSame(pid, identity));
  const left = alive();
  if (left.length > 0) {
    say(`Ending what an earlier run left: ${left.map(({ name }) => name).join(', ')} …`);
    for (const { name, pid } of left) signal(pid, name === 'postgres' ? 'SIGINT' : 'SIGTERM');
    const deadline = Date.now() + GRACE_MS;
    while (alive().length > 0 && Date.now() < deadline) await sleep(50);
    for (const { pid } of alive()) signal(pid, 'SIGKILL');
    while (alive().length > 0) await sleep(20);
  }
  forgetProcesses(home);
}

function signal(pid, name) {
  try {
    process.kill(pid, name);
  } catch (error) {
    if (error.code !== 'ESRCH') throw error;
  }
}

function remembered(home) {
  let text;
  try {
    text = readFileSync(fileIn(home), 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').flatMap((line) => {
    try {
      return [JSON.parse(line)];
    } catch {
      return [];
    }
  });
}
