import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { identityOf, isSame } from './processes.mjs';
import { Refusal } from './say.mjs';

/**
 * One `npm start` per home: two servers on the same files would destroy them. The lock is a file that
 * names its process; one whose process is gone (also: whose id another process has now) counts for
 * nothing. Answers with a function that lets go.
 */
export function takeLock(home) {
  mkdirSync(home, { recursive: true, mode: 0o711 });
  const lock = join(home, 'lock');
  const mine = JSON.stringify({ pid: process.pid, identity: identityOf(process.pid), nonce: randomUUID() });
  const draft = `${lock}.${process.pid}`;
  writeFileSync(draft, mine);
  try {
    // A link appears whole or not at all, and never replaces another's.
    while (!tryLink(draft, lock)) {
      const holder = read(lock);
      if (holder === null) continue;
      if (isAlive(holder)) throw alreadyRunning(home, holder);
      // Moved aside first and looked at again: a second starter may have put its own there meanwhile.
      const aside = `${draft}.stale`;
      if (!tryRename(lock, aside)) continue;
      const moved = read(aside);
      if (moved !== holder && moved !== null && isAlive(moved)) {
        tryLink(aside, lock);
        rmSync(aside, { force: true });
        throw alreadyRunning(home, moved);
      }
      rmSync(aside, { force: true });
    }
  } finally {
    rmSync(draft, { force: true });
  }
  return () => {
    if (read(lock) === mine) rmSync(lock, { force: true });
  };
}

function alreadyRunning(home, holder) {
  const url = read(join(home, 'url'))?.trim();
  const { pid } = JSON.parse(holder);
  return new Refusal(
    `Sluice is already running here${url ? ` at ${url}` : ''} (process ${pid}); stop it with Ctrl-C first, or set SLUICE_HOME to another folder for a second one.`,
  );
}

function isAlive(holder) {
  try {
    const { pid, identity } = JSON.parse(holder);
    return isSame(pid, identity);
  } catch {
    return false;
  }
}

function read(file) {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}

const tolerating = (code, action) => {
  try {
    action();
    return true;
  } catch (error) {
    if (error.code === code) return false;
    throw error;
  }
};
const tryLink = (from, to) => tolerating('EEXIST', () => linkSync(from, to));
const tryRename = (from, to) => tolerating('ENOENT', () => renameSync(from, to));
