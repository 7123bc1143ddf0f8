import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * SHA-256, hex, over the names and contents of all files at and below the given paths (relative to
 * `root`; one that is not there counts as such). `extra` is mixed in.
 */
export async function hashOf(root, paths, extra = '') {
  const hash = createHash('sha256').update(`${extra}\0`);
  for (const path of [...paths].sort()) {
    for (const file of await filesBelow(root, path)) {
      const content = await readFile(join(root, file));
      hash.update(`${file}\0${content.length}\0`).update(content);
    }
  }
  return hash.digest('hex');
}

async function filesBelow(root, path) {
  const found = await stat(join(root, path)).catch(() => null);
  if (!found) return [];
  if (!found.isDirectory()) return [path];
  const entries = (await readdir(join(root, path))).sort();
  return (await Promise.all(entries.map((entry) => filesBelow(root, `${path}/${entry}`)))).flat();
}

/** Whether what `markFile` remembers was made from something else than `hash` stands for. */
export async function isStale(markFile, hash) {
  return (await readFile(markFile, 'utf8').catch(() => '')) !== hash;
}

/** To be called when the work is done, so that work that was cut short is done again. */
export async function remember(markFile, hash) {
  await mkdir(dirname(markFile), { recursive: true });
  await writeFile(markFile, hash);
}
