import { createHash, randomUUID } from 'node:crypto';
import { existsSync, mkdirSync } from 'node:fs';
import { readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type Reference, refer } from './references.js';
import { mustRun } from './run.js';

/** How a file comes to be: ffmpeg runs in turn, `%in` is the file before, `%out` the file to write. */
export interface Recipe {
  /** File name as it is uploaded; the extension decides ffmpeg's muxer. */
  file: string;
  steps?: string[][];
  /** What the file holds, for those that no ffmpeg makes. */
  content?: Buffer;
  /** Keep only this part of the bytes, 0–1. */
  keep?: number;
  /** Bytes to write over those of the first box with this name, counted from behind the name. */
  patch?: { box: string; at: number; hex: string };
  /** The samples are in a file beside it. */
  refer?: Reference;
}

const folder = path.join(tmpdir(), `sluice-clips-${process.getuid?.() ?? 'user'}`);

/** The file of a recipe, made at most once: its name carries the recipe's digest. Safe to call in parallel. */
export async function makeFile(recipe: Recipe): Promise<string> {
  const key = createHash('sha256').update(JSON.stringify(recipe)).digest('hex').slice(0, 12);
  const target = path.join(folder, key, recipe.file);
  if (existsSync(target)) return target;
  mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
  const mine = (step: number) => path.join(folder, key, `${randomUUID()}-${step}-${recipe.file}`);
  const made: string[] = [];
  try {
    if (recipe.content) {
      made.push(mine(0));
      await writeFile(made[0] as string, recipe.content);
    }
    for (const [index, step] of (recipe.steps ?? []).entries()) {
      const output = mine(index);
      const input = made.at(-1) ?? '';
      made.push(output);
      await mustRun('ffmpeg', [
        ...['-nostdin', '-y', '-v', 'error'],
        ...step.map((word) => (word === '%in' ? input : word === '%out' ? output : word)),
      ]);
    }
    const last = made.at(-1);
    if (!last) throw new Error(`the recipe of ${recipe.file} makes nothing`);
    if (recipe.keep !== undefined) await cut(last, recipe.keep);
    if (recipe.patch) await overwrite(last, recipe.patch);
    if (recipe.refer) await refer(last, recipe.refer, samplesOf(target));
    await rename(last, target);
  } finally {
    await Promise.all(made.map((file) => rm(file, { force: true })));
  }
  return target;
}

/** Where the samples of a movie went that refers to them. */
export const samplesOf = (file: string) => `${file}.samples`;

async function cut(file: string, part: number): Promise<void> {
  await truncate(file, Math.floor((await stat(file)).size * part));
}

async function overwrite(file: string, { box, at, hex }: NonNullable<Recipe['patch']>): Promise<void> {
  const bytes = await readFile(file);
  const place = bytes.indexOf(box, 0, 'latin1');
  if (place < 0) throw new Error(`there is no box ${box} in ${file}`);
  bytes.write(hex, place + box.length + at, 'hex');
  await writeFile(file, bytes);
}
