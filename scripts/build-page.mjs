/** Bundles the page of the gateway into dist/apps/gateway/public; called by the build. */
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const source = path.join(root, 'apps/gateway/browser');
const target = path.join(root, 'dist/apps/gateway/public');

export async function buildPage() {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: {
      page: path.join(source, 'main.ts'),
      style: path.join(source, 'style.css'),
      icon: path.join(source, 'icon.svg'),
    },
    outdir: path.join(target, 'assets'),
    // Names carry the content's hash: they may be cached for ever.
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    loader: { '.svg': 'copy' },
    bundle: true,
    // hls.js becomes a chunk of its own, which is fetched when a video is near.
    splitting: true,
    format: 'esm',
    target: ['es2022'],
    minify: true,
    legalComments: 'none',
    tsconfig: path.join(root, 'libs/widget/tsconfig.json'),
    metafile: true,
    logLevel: 'warning',
  });
  const url = (entry) => {
    const found = Object.entries(metafile.outputs).find(([, output]) => output.entryPoint?.endsWith(entry));
    if (!found) throw new Error(`The bundle has no output for ${entry}.`);
    return `/assets/${path.basename(found[0])}`;
  };
  const page = (await readFile(path.join(source, 'index.html'), 'utf8'))
    .replace('{{icon}}', url('browser/icon.svg'))
    .replace('{{style}}', url('browser/style.css'))
    .replace('{{script}}', url('browser/main.ts'));
  await mkdir(target, { recursive: true });
  // A page that is being served is replaced in one step, after all that it names is there.
  await writeFile(path.join(target, 'index.html.new'), page);
  await rename(path.join(target, 'index.html.new'), path.join(target, 'index.html'));
  await removeOld(new Set(Object.keys(metafile.outputs).map((name) => path.basename(name))));
}

async function removeOld(current) {
  const assets = path.join(target, 'assets');
  for (const name of await readdir(assets)) {
    if (!current.has(name)) await rm(path.join(assets, name), { force: true });
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildPage();
