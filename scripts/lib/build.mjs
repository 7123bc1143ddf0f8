import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { mustRun } from './run.mjs';
import { say } from './say.mjs';
import { hashOf, isStale, remember } from './stale.mjs';

const MARK = join(ROOT, 'dist/.sluice-build-hash');
const PAGE = 'scripts/build-page.mjs';
const SOURCES = [
  'apps',
  'libs',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'package-lock.json',
  PAGE,
];

/** Compiles all services and libraries, and the page, into dist/ when a source has changed. */
export async function ensureBuilt({ force = false } = {}) {
  const hash = await hashOf(ROOT, SOURCES);
  if (!force && !(await isStale(MARK, hash))) return false;
  say('Building …');
  await mustRun(
    'The build',
    process.execPath,
    [join(ROOT, 'node_modules/@nestjs/cli/bin/nest.js'), 'build'],
    { cwd: ROOT },
  );
  if (existsSync(join(ROOT, PAGE)))
    await mustRun('The build of the page', process.execPath, [PAGE], { cwd: ROOT });
  await remember(MARK, hash);
  return true;
}
