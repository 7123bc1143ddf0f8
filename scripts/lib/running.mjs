import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/**
 * The environment of whoever calls; where it names no database and an `npm start` runs in this home,
 * what that has given to its services stands behind it (libs/launcher writes it, and removes it at the end).
 */
export async function runningEnvironment(home, env = process.env) {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== ''));
  if (given.DATABASE_URL) return given;
  const running = await readFile(join(home, 'running.json'), 'utf8').then(JSON.parse, () => ({}));
  return { ...running, ...given };
}
