/**
 * dist/services/bundle.mjs, which the build writes with BUNDLE filled in. The services are one script of ten
 * megabytes, and most of a start was compiling it: V8 takes what it had compiled when they were built, and
 * compiles anew where that is missing or of another Node (docs/adr/0007-one-bundle-for-the-services.md).
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Script } from 'node:vm';

const file = fileURLToPath(new URL('./BUNDLE', import.meta.url));
const cache = `${file}.cache`;

const script = new Script(Module.wrap(readFileSync(file, 'latin1')), {
  filename: file,
  cachedData: read(cache),
});
const bundle = new Module(file);
bundle.filename = file;
// Node reads source maps for modules that it compiles itself; this one is nothing but the name of ours.
bundle._compile(`//# sourceMappingURL=BUNDLE.map`, file);
script
  .runInThisContext()
  .call(bundle.exports, bundle.exports, createRequire(file), bundle, file, dirname(file));

export const { services } = bundle.exports;

/** For the build, in a process of its own: evaluates every module, and keeps what V8 has compiled by then. */
export async function remember() {
  for (const load of bundle.exports.modules) await load();
  writeFileSync(`${cache}.new`, script.createCachedData());
  renameSync(`${cache}.new`, cache);
}

function read(path) {
  try {
    return readFileSync(path);
  } catch {
    return undefined;
  }
}
