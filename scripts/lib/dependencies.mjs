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
  say('Installing npm packages (this may take a minute) …');
  // Development packages too, whatever NODE_ENV says: the compiler and Postgres are among them. No
  // package of ours needs its install script.
  const npm = [
    'ci',
    '--include=dev',
    '--include=optional',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const script = process.env.npm_execpath;
  const [command, args] = script?.endsWith('npm-cli.js')
    ? [process.execPath, [script, ...npm]]
    : ['npm', npm];
  await mustRun('npm ci', command, args, { cwd: ROOT });
  await remember(MARK, hash);
  return true;
}
