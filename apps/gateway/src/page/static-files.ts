import { createReadStream, type ReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { extname, join } from 'node:path';

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.map': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.webp': 'image/webp',
  '.woff2': 'font/woff2',
  '.txt': 'text/plain; charset=utf-8',
  '.webmanifest': 'application/manifest+json',
};

/** Parts of a path that the build makes: nothing hidden, nothing that climbs. */
const PART = /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/;
/** esbuild's `name-HASH.ext`. */
const HASHED = /-[A-Z0-9]{8}\.[a-z0-9.]+$/;

export interface StaticFile {
  type: string;
  size: number;
  etag: string;
  /** The name changes with the content. */
  hashed: boolean;
  html: boolean;
  open(): ReadStream;
}

/** A file of the built page below `root`; null when there is none by that path. */
export async function findStaticFile(root: string, path: string): Promise<StaticFile | null> {
  const parts = path.split('/');
  const type = TYPES[extname(path)];
  if (type === undefined || path.length > 255 || !parts.every((part) => PART.test(part))) return null;
  const file = join(root, ...parts);
  const stats = await stat(file).catch(() => null);
  if (!stats?.isFile()) return null;
  return {
    type,
    size: stats.size,
    etag: `"${stats.size.toString(16)}-${Math.floor(stats.mtimeMs).toString(16)}"`,
    hashed: HASHED.test(path),
    html: extname(path) === '.html',
    open: () => createReadStream(file),
  };
}
