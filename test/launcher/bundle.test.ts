import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin, SourceMap } from 'node:module';
import { basename, join } from 'node:path';
import { expect, it } from 'vitest';
import { SERVICES } from '#contracts';

const ROOT = join(import.meta.dirname, '../..');
const SERVICES_DIR = join(ROOT, 'dist/services');
const read = (file: string) => readFileSync(join(SERVICES_DIR, file), 'utf8');

const bundle = read('bundle.mjs');
const map = new SourceMap(JSON.parse(read('bundle.mjs.map')));

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
  for (const name of SERVICES) expect(existsSync(join(SERVICES_DIR, `${name}.mjs`)), name).toBe(true);
  const threads = ['apps', 'libs']
    .flatMap((folder) => readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }))
    .filter((file) => file.endsWith('.worker.ts'))
    .map((file) => basename(file, '.ts'));
  expect(threads).toContain('digest.worker');
  for (const thread of threads) {
    expect(read('bundle.mjs')).toContain(`"./${thread}.mjs"`);
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

it('nothing that is bundled is asked for by name as well: it would exist twice', () => {
  const asked = [...read('bundle.mjs').matchAll(/\b__require\d*\("([^"]+)"\)/g)].map(([, name]) => name!);
  const packages = new Set(asked.filter((name) => !isBuiltin(name)));
  // Faster variants of what is there, which are not installed.
  expect([...packages].sort()).toEqual(['@valkey/valkey-glide', 'bufferutil', 'pg-native', 'utf-8-validate']);
  // TypeORM makes the names of drivers at run time.
  expect(readFileSync(join(ROOT, 'libs/persistence/src/data-source.ts'), 'utf8')).toContain('driver: pg,');
});
