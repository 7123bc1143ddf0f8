/**
 * `npm run check`: formatting, lint, types and the arrows between folders. The steps run at once;
 * only what fails is printed. Exit status 1 when one failed.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

const BROWSER_PROJECT = 'libs/widget/tsconfig.json';

/** Their own build info: the build's must keep telling what was emitted, not what was checked. */
const types = (project, name) => [
  'typescript/bin/tsc',
  ...['--project', project, '--noEmit', '--pretty'],
  ...['--incremental', '--tsBuildInfoFile', `dist/.tsbuildinfo-check-${name}`],
];

const steps = [
  {
    name: 'format and lint',
    args: ['@biomejs/biome/bin/biome', 'check', '--colors=off', '--error-on-warnings'],
  },
  { name: 'types', args: types('tsconfig.json', 'node') },
  ...(existsSync(join(root, BROWSER_PROJECT))
    ? [{ name: 'types in the browser', args: types(BROWSER_PROJECT, 'browser') }]
    : []),
  {
    name: 'arrows',
    args: [
      'dependency-cruiser/bin/dependency-cruise.mjs',
      ...['--config', '.dependency-cruiser.cjs', '--output-type', 'err-long', 'apps', 'libs', 'test'],
    ],
  },
];

/** Resolves with whether the step passed, and all that it said. */
function run({ name, args: [script, ...rest] }) {
  return new Promise((resolve) => {
    const started = Date.now();
    const child = spawn(process.execPath, [join(root, 'node_modules', script), ...rest], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const output = [];
    child.stdout.on('data', (chunk) => output.push(chunk));
    child.stderr.on('data', (chunk) => output.push(chunk));
    child.on('error', (error) => resolve({ name, passed: false, seconds: 0, output: error.message }));
    child.on('close', (code) => {
      const seconds = (Date.now() - started) / 1000;
      resolve({ name, passed: code === 0, seconds, output: Buffer.concat(output).toString() });
    });
  });
}

if (!existsSync(join(root, 'node_modules/@biomejs/biome'))) {
  console.error('The development dependencies are not installed; run: npm ci');
  process.exit(1);
}

const results = await Promise.all(steps.map(run));
for (const { name, passed, seconds, output } of results) {
  console.log(`${passed ? 'ok    ' : 'FAILED'} ${name} (${seconds.toFixed(1)} s)`);
  if (!passed) console.log(`\n${output.trim()}\n`);
}
process.exit(results.every(({ passed }) => passed) ? 0 : 1);
