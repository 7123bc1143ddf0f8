import { readFile, writeFile } from 'node:fs/promises';

/** How a movie says that its samples are in another file (`dref`; QuickTime File Format, ISO/IEC 14496-12 8.7.2). */
export type Reference = 'url ' | 'alis';

const ANCESTORS = ['moov', 'trak', 'mdia', 'minf', 'dinf', 'dref'];

/** Moves the samples of `file`, a movie with one track whose index comes last, to `elsewhere`, an absolute path; it has zeros instead, and says where they are. */
export async function refer(file: string, as: Reference, elsewhere: string): Promise<void> {
  const bytes = await readFile(file);
  await writeFile(elsewhere, bytes);
  const media = bytes.indexOf('mdat', 0, 'latin1') + 4;
  bytes.fill(0, media, bytes.indexOf('moov', media, 'latin1') - 4);
  const entry = bytes.indexOf('url ', bytes.indexOf('dref', media, 'latin1'), 'latin1') - 4;
  const old = bytes.readUInt32BE(entry);
  const fresh = entryOf(as, elsewhere);
  for (const name of ANCESTORS) {
    const size = bytes.indexOf(name, media, 'latin1') - 4;
    bytes.writeUInt32BE(bytes.readUInt32BE(size) + fresh.length - old, size);
  }
  await writeFile(file, Buffer.concat([bytes.subarray(0, entry), fresh, bytes.subarray(entry + old)]));
}

/** Without the flag that would say "in this file". */
function entryOf(as: Reference, to: string): Buffer {
  const where = as === 'alis' ? alias(to) : Buffer.from(`file://${to}\0`);
  const entry = Buffer.alloc(12 + where.length);
  entry.writeUInt32BE(entry.length, 0);
  entry.write(as, 4, 'latin1');
  where.copy(entry, 12);
  return entry;
}

/** An alias record of the old Mac OS: 150 bytes of volume, name and levels, then the path as tag 2, then the end. */
function alias(path: string): Buffer {
  const tag = Buffer.alloc(4 + path.length + (path.length % 2));
  tag.writeUInt16BE(2, 0);
  tag.writeUInt16BE(path.length, 2);
  tag.write(path, 4, 'latin1');
  return Buffer.concat([Buffer.alloc(150), tag, Buffer.from('ffff0000', 'hex')]);
}
