import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import Module, { isBuiltin, SourceMap } from 'node:module';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { Script } from 'node:vm';
import { expect, it } from 'vitest';
import { SERVICES } from '#contracts';
import { testDir } from '#testing';

const ROOT = join(import.meta.dirname, '../..');
const SERVICES_DIR = join(ROOT, 'dist/services');
const read = (file: string) => readFileSync(join(SERVICES_DIR, file), 'utf8');

const name = readdirSync(SERVICES_DIR).find((file) => /^bundle-\w+\.cjs$/.test(file))!;
const bundle = read(name);
const map = new SourceMap(JSON.parse(read(`${name}.map`)));

/** Where the source map leads from the first place that has this text, which the limit of lines may have cut. */
function sourceOf(text: string) {
  const pattern = [...text].map((c) => c.replace(/\W/, '\\$&')).join('(?:\\\\\n)?');
  const at = bundle.search(new RegExp(pattern));
  expect(at, text).toBeGreaterThanOrEqual(0);
  const before = bundle.slice(0, at).split('\n');
  return map.findEntry(before.length - 1, before.at(-1)!.length) as Partial<{
    originalSource: string;
    originalLine: number;
  }>;
}

it('each service, and each thread that a source is named for, is bundled', () => {
  for (const service of SERVICES)
    expect(existsSync(join(SERVICES_DIR, `${service}.mjs`)), service).toBe(true);
  const threads = ['apps', 'libs']
    .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }))
    .filter((file) => file.endsWith('.worker.ts'))
    .map((file) => basename(file, '.ts'));
  expect(threads).toContain('digest.worker');
  for (const thread of threads) {
    expect(bundle).toContain(`"./${thread}.mjs"`);
    expect(existsSync(join(SERVICES_DIR, `${thread}.mjs`)), thread).toBe(true);
  }
});

it('stack traces of a bundled service name our sources, and no source for what is in a package', () => {
  const text = 'what was in flight did not end in time';
  const { originalSource, originalLine } = sourceOf(text);
  expect(originalSource).toMatch(/libs\/http\/src\/service\.ts$/);
  const source = readFileSync(join(ROOT, 'libs/http/src/service.ts'), 'utf8').split('\n');
  // The call begins on the line that holds its text.
  expect(source[originalLine!]).toContain(text);
  expect(sourceOf('"node_modules/rxjs/').originalSource).toBeUndefined();
});

/** But in the text of a message, or of code that ajv would write to a file. */
it('nothing that is bundled is asked for by name as well: it would exist twice', () => {
  const asked = [...bundle.matchAll(/(?<!['`] *|\[)\brequire\("([^"]+)"\)/g)].map(([, name]) => name!);
  const packages = new Set(asked.filter((name) => !isBuiltin(name)));
  // Faster variants of what is there, and parts of Nest, which are not installed.
  expect([...packages].filter((name) => !name.startsWith('@nestjs/')).sort()).toEqual([
    ...['@fastify/multipart', '@valkey/valkey-glide', 'bufferutil', 'pg-native', 'utf-8-validate'],
  ]);
  // TypeORM makes the names of drivers at run time.
  expect(readFileSync(join(ROOT, 'libs/persistence/src/data-source.ts'), 'utf8')).toContain('driver: pg,');
});

it('V8 takes what it compiled when the services were built', () => {
  const cachedData = readFileSync(join(SERVICES_DIR, `${name}.cache`));
  expect(new Script(Module.wrap(bundle), { filename: name, cachedData }).cachedDataRejected).toBe(false);
  // One letter that is none of Latin-1 doubles the script's memory.
  expect(/^[\0-\x7f]*$/.test(bundle)).toBe(true);
});

it.each(['with', 'without'])('%s that a service runs, and its stack traces name our sources', async (how) => {
  const dir = how === 'with' ? SERVICES_DIR : await testDir('bundle');
  if (how === 'without')
    for (const file of ['bundle.mjs', name, `${name}.map`])
      await cp(join(SERVICES_DIR, file), join(dir, file));
  // It ends for want of a configuration, and says from where.
  const program = `import { services } from '${join(dir, 'bundle.mjs')}';
    process.exit = () => console.log(new Error('here').stack);
    await services.gateway();`;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--enable-source-maps', '--input-type=module', `--eval=${program}`],
    { env: { PATH: process.env.PATH } },
  );
  expect(stdout).toMatch(/libs\/http\/src\/\w+\.ts:\d+:\d+/);
});
