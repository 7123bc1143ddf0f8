import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { ARRIVING, type Clip, fileOf, GOOD } from '../clips/good.js';

/** A clip by its name, with its bytes. */
export async function film(name: string): Promise<{ clip: Clip; file: string; bytes: Buffer }> {
  const clip = [...ARRIVING, ...GOOD].find((one) => one.name === name);
  if (!clip) throw new Error(`there is no clip ${name}`);
  const file = await fileOf(clip);
  return { clip, file, bytes: await readFile(file) };
}

/** The same film in another file, of which the end differs: players skip a box `free`, here of random bytes. */
export function withFree(film: Buffer, size = film.length + 64): Buffer {
  const free = randomBytes(size - film.length);
  free.writeUInt32BE(free.length, 0);
  free.write('free', 4, 'latin1');
  return Buffer.concat([film, free]);
}

/** The same, of which the beginning differs: x264 writes what it is into its first picture, and here something else. */
export function renamed(film: Buffer): Buffer {
  const copy = Buffer.from(film);
  const at = copy.indexOf('Copyleft', 0, 'latin1');
  if (at < 0) throw new Error('this film was not made by x264');
  copy.write(randomBytes(4).toString('hex'), at, 'latin1');
  return copy;
}

const IDR = [0x65, 0x88];
const NO_IDR = 0x61;

/** The last IDR picture says that it is none; the index still calls it a sync sample. */
export function withoutLastIdr(film: Buffer): Buffer {
  const copy = Buffer.from(film);
  for (let at = copy.length; ; ) {
    at = copy.lastIndexOf(Buffer.from(IDR), at - 1);
    if (at < 4) throw new Error('this film has no IDR picture');
    // Its length comes before it, and is less than 64 KiB.
    if (copy.readUInt16BE(at - 4) !== 0) continue;
    copy[at] = NO_IDR;
    return copy;
  }
}
