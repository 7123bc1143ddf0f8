import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { notAFile, unreadable } from './node-put.js';
import type { UploadSource } from './source.js';

export { type PutFileOptions, type PutFileResult, putFile } from './node-put.js';

const HASHED_AT_ONCE = 1024 * 1024;

/**
 * A file on disk. It is opened for each range and closed again, so that nothing stays open whatever
 * happens to the upload (S2-05). Throws `file_not_found`, `file_unreadable` or `not_a_file` (S2-01).
 */
export async function fileSource(path: string): Promise<UploadSource> {
  const stats = await stat(path).catch((error: unknown) => {
    throw unreadable(path, error);
  });
  if (!stats.isFile()) throw notAFile(path);
  return {
    name: basename(path),
    size: stats.size,
    async read(start, end) {
      const handle = await open(path, 'r');
      try {
        const bytes = Buffer.allocUnsafeSlow(end - start);
        let filled = 0;
        while (filled < bytes.length) {
          const { bytesRead } = await handle.read(bytes, filled, bytes.length - filled, start + filled);
          if (bytesRead === 0) break;
          filled += bytesRead;
        }
        return bytes.subarray(0, filled);
      } finally {
        await handle.close();
      }
    },
    async sha256(signal) {
      const hash = createHash('sha256');
      const bytes = createReadStream(path, { highWaterMark: HASHED_AT_ONCE });
      await pipeline(bytes, hash, signal ? { signal } : {});
      return hash.digest('hex');
    },
  };
}
