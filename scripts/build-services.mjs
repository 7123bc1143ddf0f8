/**
 * Bundles the four services into dist/services (docs/adr/0007-one-bundle-for-the-services.md), from what
 * the compiler has put into dist/apps and dist/libs; called by the build.
 *   bundle.mjs        all of them, each loaded when it is asked for: `services.upload()`
 *   <service>.mjs     what is started
 *   <name>.worker.mjs a thread, for each source of that name; what it loads late is in files of their own
 */
import { readdirSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
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
          thread ? `'./${thread}.mjs', import.meta.url` : '$here',
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

/** For what is bundled: CommonJS packages ask for Node's modules when they run. */
const HELPERS = [
  "import { createRequire as $require } from 'node:module';",
  "import { fileURLToPath as $path } from 'node:url';",
  'const require = $require(import.meta.url), $url = (path) => new URL(path, import.meta.url).href;',
];

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
    outExtension: { '.js': '.mjs' },
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20.19',
    external: ABSENT,
    plugins: [addresses],
    banner: { js: HELPERS.join('') },
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
      stdin: {
        contents: `export const services = {\n${mains.join('')}};`,
        resolveDir: root,
        sourcefile: 'bundle.js',
      },
      entryNames: 'bundle',
    }),
    build({ ...common, plugins: [onlyUsed, addresses], splitting: true, entryPoints: workers }),
  ]);
  const files = new Map(
    results.flatMap(({ outputFiles }) => outputFiles).map((file) => [path.basename(file.path), file.text]),
  );
  for (const [name, text] of files) if (name.endsWith('.map')) files.set(name, keepSources(text, isOurs));
  for (const app of apps) {
    files.set(`${app}.mjs`, `import { services } from './bundle.mjs';\nawait services['${app}']();\n`);
  }
  await mkdir(target, { recursive: true });
  for (const [name, text] of files) await replace(path.join(target, name), text);
  for (const name of await readdir(target)) if (!files.has(name)) await rm(path.join(target, name));
}

const isOurs = (source) => /^(\.\.\/)+(apps|libs)\//.test(source);

/** In one step: a service may be starting from it. */
async function replace(file, text) {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildServices();
