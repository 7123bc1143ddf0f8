import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { mustRun } from './run.mjs';
import { say } from './say.mjs';
import { hashOf, isStale, remember } from './stale.mjs';

const MARK = join(ROOT, 'node_modules/.sluice-lock-hash');

/** Installs what package-lock.json says, unless it is installed. True when something was done. */
export async function ensureDependencies() {
  const hash = await hashOf(ROOT, ['package-lock.json'], `${process.platform}-${process.arch}`);
  if (!(await isStale(MARK, hash))) return false;
  const installs = !(await isInstalled(ROOT));
  if (installs) await install();
  await remember(MARK, hash);
  return installs;
}

async function install() {
  say('Installing npm packages (this may take a minute) …');
  // Development packages too, whatever NODE_ENV says: the compiler and Postgres are among them. No
  // package of ours needs its install script.
  const npm = ['ci', '--include=dev', '--include=optional', '--ignore-scripts'];
  npm.push('--no-audit', '--no-fund', '--loglevel=error');
  const script = process.env.npm_execpath;
  const [command, args] = script?.endsWith('npm-cli.js')
    ? [process.execPath, [script, ...npm]]
    : ['npm', npm];
  await mustRun('npm ci', command, args, { cwd: ROOT });
}

/** Whether npm's own record of node_modules, written last by it, has what the lock file wants on this machine. */
export async function isInstalled(root) {
  const [wanted, found] = await Promise.all(
    ['package-lock.json', 'node_modules/.package-lock.json'].map((file) =>
      readFile(join(root, file), 'utf8').then(JSON.parse, () => null),
    ),
  );
  if (!wanted || !found) return false;
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (path === '' || entry.link) return true;
    const version = found.packages[path]?.version;
    return version === entry.version || (version === undefined && mayBeMissing(entry));
  });
}

/** Optional, and not known to be for this system; which C library this one has is not asked. */
function mayBeMissing({ optional, os, cpu, libc }) {
  if (!optional) return false;
  const names = (list, value) => list === undefined || list.includes(value);
  const known = (os !== undefined || cpu !== undefined) && libc === undefined;
  return !(known && names(os, process.platform) && names(cpu, process.arch));
}
