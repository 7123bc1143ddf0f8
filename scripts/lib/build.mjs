import { join } from 'node:path';
import { ROOT } from './paths.mjs';
import { mustRun } from './run.mjs';
import { say } from './say.mjs';
import { hashOf, isStale, remember } from './stale.mjs';

const MARK = join(ROOT, 'dist/.sluice-build-hash');
/** What follows the compiler; each can do without the other. */
const BUNDLES = [
  ['The build of the services', 'scripts/build-services.mjs'],
  ['The build of the page', 'scripts/build-page.mjs'],
];
const SOURCES = [
  'apps',
  'libs',
  'nest-cli.json',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
  'package-lock.json',
  ...BUNDLES.map(([, script]) => script),
  'scripts/lib/bundle-loader.mjs',
  'scripts/lib/source-map.mjs',
];

/** Compiles all services and libraries into dist/ and bundles the services and the page when a source has changed. */
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
  await Promise.all(
    BUNDLES.map(([what, script]) => mustRun(what, process.execPath, [script], { cwd: ROOT })),
  );
  await remember(MARK, hash);
  return true;
}
