/**
 * Bundles the four services into dist/services (docs/adr/0007-one-bundle-for-the-services.md), from what
 * the compiler has put into dist/apps and dist/libs; called by the build.
 *   bundle.mjs        all of them, each loaded when it is asked for: `services.upload()`; loads bundle-<hash>.cjs
 *                     with what V8 has compiled of it, bundle-<hash>.cjs.cache
 *   <service>.mjs     what is started
 *   <name>.worker.mjs a thread, for each source of that name; what it loads late is in files of their own
 */
import { readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { mustRun } from './lib/run.mjs';
import { keepSources } from './lib/source-map.mjs';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const target = path.join(root, 'dist/services');

/** Parts of Nest that we do not have; it asks for them when they are used, which they are not. */
const ABSENT = [
  '@fastify/multipart',
  '@nestjs/microservices',
  '@nestjs/microservices/*',
  '@nestjs/platform-express',
];

const sourcesIn = (folder, ending) =>
  readdirSync(path.join(root, folder), { recursive: true })
    .filter((file) => file.endsWith(ending) && !file.includes('node_modules'))
    .map((file) => path.join(folder, file));

const toBuilt = (source) => path.join(root, 'dist', source.replace(/[.]ts$/, '.js'));

const THREAD = /'[.]{1,2}\/(?:[^'\n]*\/)?([^'/\n]+[.]worker)[.]js', import[.]meta[.]url/;

/** A bundled file is told its old address, relative to the bundle; only our threads are beside that. */
const addresses = {
  name: 'addresses',
  setup({ onLoad }) {
    onLoad({ filter: /[.][cm]?js$/ }, async (file) => {
      const text = await readFile(file.path, 'utf8');
      const before = path.relative(target, file.path).replaceAll('\\', '/');
      if (text.includes('import.meta.url')) {
        const contents = text.replace(new RegExp(`${THREAD.source}|import[.]meta[.]url`, 'g'), (_, thread) =>
          thread ? `'./${thread}.mjs', $self` : '$here',
        );
        return { contents: `const $here = $url('${before}'); ${contents}`, loader: 'js' };
      }
      if (!/\b__(dirname|filename)\b/.test(text) || /\b(const|let|var) __(dirname|filename)\b/.test(text)) {
        return undefined;
      }
      const strict = /^['"]use strict['"]/m.test(text) ? "'use strict';" : '';
      const names = `var __dirname = $path($url('${path.posix.dirname(before)}')), __filename = $path($url('${before}'));`;
      return { contents: `${strict} ${names} ${text}`, loader: 'js' };
    });
  },
};

/** Our modules do nothing by being imported: a thread gets those that it uses, and not class-validator with them. */
const onlyUsed = {
  name: 'only-used',
  setup({ onResolve, resolve }) {
    onResolve({ filter: /^[#.]/ }, async ({ path: name, pluginData, ...rest }) => {
      if (pluginData === onlyUsed) return undefined;
      return { ...(await resolve(name, { ...rest, pluginData: onlyUsed })), sideEffects: false };
    });
  },
};

/** For what is bundled: addresses, and CommonJS packages in a thread ask for Node's modules when they run. */
const HELPERS = {
  cjs: [
    "const { fileURLToPath: $path, pathToFileURL: $toUrl } = require('node:url'), $self = $toUrl(__filename).href;",
    'const $url = (path) => new URL(path, $self).href;',
  ],
  esm: [
    "import { createRequire as $require } from 'node:module';",
    "import { fileURLToPath as $path } from 'node:url';",
    'const $self = import.meta.url, require = $require($self), $url = (path) => new URL(path, $self).href;',
  ],
};

/** What the services are made of, but their mains, which start them. */
const modulesOf = (apps) =>
  apps.flatMap((app) =>
    sourcesIn(`apps/${app}/src`, '.ts')
      .filter((source) => !/[./](main|worker|d)[.]ts$/.test(source))
      .map((source) => `  () => import('./${toBuilt(source).slice(root.length + 1)}'),\n`),
  );

export async function buildServices() {
  const apps = readdirSync(path.join(root, 'apps'));
  const mains = apps.map((app) => `  '${app}': () => import('./dist/apps/${app}/src/main.js'),\n`);
  const workers = [...sourcesIn('apps', '.worker.ts'), ...sourcesIn('libs', '.worker.ts')].map((source) => ({
    in: toBuilt(source),
    out: path.basename(source, '.ts'),
  }));
  const common = {
    absWorkingDir: root,
    outdir: target,
    bundle: true,
    platform: 'node',
    target: 'node20.19',
    external: ABSENT,
    plugins: [addresses],
    // Nest finds providers, and logs name errors, by the names of classes.
    keepNames: true,
    // A third less to parse. Lines stay short: Node prints the one that threw.
    minifyWhitespace: true,
    minifySyntax: true,
    lineLimit: 160,
    legalComments: 'none',
    sourcemap: true,
    sourcesContent: false,
    write: false,
    logLevel: 'warning',
  };
  const results = await Promise.all([
    build({
      ...common,
      ...shapeOf('cjs'),
      stdin: {
        contents: `export const services = {\n${mains.join('')}};\nexport const modules = [\n${modulesOf(apps).join('')}];`,
        resolveDir: root,
        sourcefile: 'bundle.js',
      },
      entryNames: 'bundle-[hash]',
    }),
    build({
      ...common,
      ...shapeOf('esm'),
      plugins: [onlyUsed, addresses],
      splitting: true,
      entryPoints: workers,
    }),
  ]);
  const files = new Map(
    results.flatMap(({ outputFiles }) => outputFiles).map((file) => [path.basename(file.path), file.text]),
  );
  for (const [name, text] of files) if (name.endsWith('.map')) files.set(name, keepSources(text, isOurs));
  const bundle = [...files.keys()].find((name) => /^bundle-.*[.]cjs$/.test(name));
  files.set(bundle, toAscii(files.get(bundle)));
  const loader = await readFile(path.join(root, 'scripts/lib/bundle-loader.mjs'), 'utf8');
  files.set('bundle.mjs', loader.replaceAll('BUNDLE', bundle));
  for (const app of apps) {
    files.set(`${app}.mjs`, `import { services } from './bundle.mjs';\nawait services['${app}']();\n`);
  }
  await mkdir(target, { recursive: true });
  // In this order: what is started comes last, when all that it loads is there.
  for (const [name, text] of files) await replace(path.join(target, name), text);
  await mustRun(
    'What is compiled of the bundle',
    process.execPath,
    [
      '--input-type=module',
      `--eval=import { remember } from './dist/services/bundle.mjs'; await remember();`,
    ],
    { cwd: root },
  );
  const kept = new Set([...files.keys(), `${bundle}.cache`]);
  for (const name of await readdir(target)) if (!kept.has(name)) await rm(path.join(target, name));
}

const shapeOf = (format) => ({
  format,
  // In a script from a code cache `import()` throws (ERR_VM_DYNAMIC_IMPORT_CALLBACK_MISSING, Node 20.20).
  supported: { 'dynamic-import': format === 'esm' },
  outExtension: { '.js': format === 'cjs' ? '.cjs' : '.mjs' },
  banner: { js: HELPERS[format].join('') },
});

/** esbuild leaves letters in regular expressions as they are; one of them doubles the memory of the whole script. */
const toAscii = (text) =>
  text.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

const isOurs = (source) => /^(\.\.\/)+(apps|libs)\//.test(source);

/** In one step: a service may be starting from it. */
async function replace(file, text) {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildServices();
