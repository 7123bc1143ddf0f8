/**
 * `npm run bench -- NAME [options]`: builds what is stale, bundles the measuring code (test/bench is
 * no part of the product's build) and runs it on what was built.
 */
import { join } from 'node:path';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { checkNode } from './lib/node-version.mjs';
import { ROOT } from './lib/paths.mjs';
import { ensurePrograms } from './lib/programs.mjs';
import { run } from './lib/run.mjs';
import { main } from './lib/say.mjs';

await main(async () => {
  checkNode();
  await ensurePrograms(['redis', 'ffmpeg', 'ffprobe', 'ps']);
  await ensureDependencies();
  await ensureBuilt();
  const { build } = await import('esbuild');
  const outfile = join(ROOT, 'dist/bench/main.js');
  await build({
    entryPoints: [join(ROOT, 'test/bench/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    packages: 'external',
    external: ['#*'],
    logLevel: 'warning',
  });
  const { status } = await run(
    process.execPath,
    ['--enable-source-maps', outfile, ...process.argv.slice(2)],
    {
      cwd: ROOT,
    },
  );
  return status;
});
