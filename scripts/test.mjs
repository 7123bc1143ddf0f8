/**
 * `npm test [-- vitest's arguments]`: from a fresh checkout to a verdict. The last line says how many
 * tests passed, failed and were skipped; the exit status is 0 only when none failed.
 */
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuilt } from './lib/build.mjs';
import { ensureDependencies } from './lib/dependencies.mjs';
import { checkNode } from './lib/node-version.mjs';
import { ROOT } from './lib/paths.mjs';
import { ensurePrograms } from './lib/programs.mjs';
import { run } from './lib/run.mjs';
import { main, say } from './lib/say.mjs';
import { summarise } from './lib/summary.mjs';

const CHECK = join(ROOT, 'scripts/check.mjs');
const REPORTER = join(ROOT, 'scripts/lib/results-reporter.mjs');

await main(async () => {
  checkNode();
  await ensurePrograms(['redis', 'ffmpeg', 'ffprobe', 'chromium', 'ps']);
  await ensureDependencies();
  await ensureBuilt();
  const checked = existsSync(CHECK) ? await check() : 0;
  const dir = await mkdtemp(join(tmpdir(), 'sluice-results-'));
  try {
    const file = join(dir, 'results.json');
    const vitest = [
      join(ROOT, 'node_modules/vitest/vitest.mjs'),
      ...['run', '--reporter=default', `--reporter=${REPORTER}`],
      ...process.argv.slice(2),
    ];
    const env = { ...process.env, SLUICE_TEST_RESULTS: file };
    const { status: runStatus } = await run(process.execPath, vitest, { cwd: ROOT, env });
    const results = existsSync(file) ? JSON.parse(await readFile(file, 'utf8')) : null;
    const { lines, status } = summarise(results, { checkFailed: checked !== 0, runStatus });
    console.log(lines.join('\n'));
    return status;
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

async function check() {
  say('Checking format, lint, types and imports …');
  const { status } = await run(process.execPath, [CHECK], { cwd: ROOT });
  return status;
}
