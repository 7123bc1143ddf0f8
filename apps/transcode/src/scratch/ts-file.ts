import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import type { TsPayload } from '#contracts';
import { segmentToTs, subtitlesForTs, type Track } from '#media';

/** Beside the segment that it is made from. */
export const tsPathOf = (path: string): string => `${path}.ts`;

/** Makes the MPEG-TS of a segment that is whole in the scratch. `track` null: text. */
export async function writeTs(path: string, track: Track | null, index: number): Promise<TsPayload> {
  const hash = createHash('sha256');
  let size = 0;
  const file = await open(tsPathOf(path), 'w');
  const segment = track && createReadStream(path);
  try {
    const parts = segment
      ? segmentToTs(segment as AsyncIterable<Buffer>, track, index)
      : [subtitlesForTs(await readFile(path))];
    for await (const part of parts) {
      hash.update(part);
      size += part.length;
      await file.write(part);
    }
  } finally {
    segment?.destroy();
    await file.close();
  }
  return { sha256: hash.digest('hex'), size };
}
