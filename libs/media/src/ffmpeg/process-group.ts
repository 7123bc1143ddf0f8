import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

const LOOK_AGAIN_MS = 20;

/** Sends a signal to every process of a group; one that is gone has had it. */
export function signalGroup(leader: number, name: NodeJS.Signals): void {
  try {
    process.kill(-leader, name);
  } catch {
    // nobody left
  }
}

/**
 * Kills what is left of a session until nothing is: a run leads a session of its own, and a child that
 * made a group for itself is still in it. Answers the ids of those that outlived `patienceMs`.
 */
export async function endSession(leader: number, patienceMs: number): Promise<number[]> {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const left = await membersOf(leader);
    if (left.length === 0 || performance.now() > deadline) return left;
    for (const pid of left) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // gone since
      }
    }
    await delay(LOOK_AGAIN_MS);
  }
}

/** Processes of the session or the group of `leader` that still run; a zombie has ended but for its parent's notice. */
async function membersOf(leader: number): Promise<number[]> {
  const listed = await readdir('/proc').catch(() => null);
  if (listed === null) return groupIsThere(leader) ? [-leader] : [];
  const pids = listed.filter((name) => /^\d+$/.test(name));
  const states = await Promise.all(pids.map(stateOf));
  return pids.map(Number).filter((_, i) => {
    const state = states[i];
    return state && !'ZX'.includes(state.letter) && (state.group === leader || state.session === leader);
  });
}

/** Where there is no /proc. */
function groupIsThere(leader: number): boolean {
  try {
    process.kill(-leader, 0);
    return true;
  } catch {
    return false;
  }
}

/** proc(5): state, parent, group and session stand behind the name, which may itself hold brackets and blanks. */
async function stateOf(pid: string): Promise<{ letter: string; group: number; session: number } | null> {
  try {
    const text = await readFile(`/proc/${pid}/stat`, 'latin1');
    const [letter = '', , group, session] = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { letter, group: Number(group), session: Number(session) };
  } catch {
    return null;
  }
}
