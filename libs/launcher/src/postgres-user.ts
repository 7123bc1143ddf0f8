import { readFile, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

export interface RunAs {
  uid: number;
  gid: number;
  /** The user could not reach the files by itself (a checkout below /root): it gets the right to. */
  reachAll: boolean;
}

/**
 * Postgres refuses to run as root. Root's Postgres runs as the owner of its files, else as
 * `postgres`, else as `nobody`: no user is added to the machine. Undefined when we are not root.
 */
export async function serverUser(dataDir: string, binary: string): Promise<RunAs | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const owner = await stat(dataDir).catch(() => null);
  const user = owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : await systemUser();
  const reachable = (await canReach(binary, user)) && (await canReach(dataDir, user));
  return { ...user, reachAll: !reachable };
}

async function systemUser(): Promise<{ uid: number; gid: number }> {
  const users = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'));
  for (const name of ['postgres', 'nobody']) {
    const found = users.find((fields) => fields[0] === name);
    if (found) return { uid: Number(found[2]), gid: Number(found[3]) };
  }
  throw new Error(
    'Postgres cannot run as root and there is no user "postgres" or "nobody"; start this as an ordinary user.',
  );
}

/** Whether every directory above the path may be passed through. */
async function canReach(path: string, user: { uid: number; gid: number }): Promise<boolean> {
  for (let dir = dirname(path); ; dir = dirname(dir)) {
    const found = await stat(dir).catch(() => null);
    if (found) {
      const bit = found.uid === user.uid ? 0o100 : found.gid === user.gid ? 0o010 : 0o001;
      if ((found.mode & bit) === 0) return false;
    }
    if (dir === dirname(dir)) return true;
  }
}
