import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { SluiceClientError } from './errors.js';
import type { UploadSource } from './source.js';

const HASHED_AT_ONCE = 1024 * 1024;

/**
 * A file on disk. It is opened for each range and closed again, so that nothing stays open whatever
 * happens to the upload (S2-05). Throws `bad_source` when it is not there or not a file (S2-01).
 */
export async function fileSource(path: string): Promise<UploadSource> {
  const stats = await stat(path).catch((error: unknown) => {
    throw new SluiceClientError('bad_source', `${path} cannot be read; check its name and your rights.`, {
      cause: error,
    });
  });
  if (!stats.isFile()) throw new SluiceClientError('bad_source', `${path} is not a file; name a video file.`);
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
