import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { BatchWriter } from './batch-writer.js';
import { drain } from './drain.js';
import { errorCode, hashMismatch, lengthMismatch, toStorageError } from './errors.js';
import type { PutOptions } from './port.js';

export interface WrittenFile {
  path: string;
  /** Bytes. */
  size: number;
  /** Lower-case hex. */
  sha256: string;
}

/**
 * Writes the body to a new file in `folder`, verified and, with `sync`, fsynced. On any failure the file is gone,
 * the body is destroyed, and the error says whose it was: the body's own, or the file system's.
 */
export async function writeTemporary(
  folder: string,
  body: Readable | Buffer,
  { sync, ...options }: PutOptions & { sync: boolean },
): Promise<WrittenFile> {
  // A body that fails while the file is being made is found by whoever reads it.
  if (!Buffer.isBuffer(body)) body.on('error', () => undefined);
  const path = join(folder, randomUUID());
  const handle = await create(folder, path);
  try {
    const written = await fill(handle, body, options);
    if (sync) await fileSystem(handle.sync());
    await handle.close();
    return { path, ...written };
  } catch (error) {
    if (!Buffer.isBuffer(body)) body.destroy();
    await handle.close().catch(() => undefined);
    await unlink(path).catch(() => undefined);
    throw error;
  }
}

async function create(folder: string, path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o640);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw toStorageError(error);
    await fileSystem(mkdir(folder, { recursive: true }));
    return fileSystem(open(path, 'wx', 0o640));
  }
}

async function fill(
  handle: FileHandle,
  body: Readable | Buffer,
  { size, sha256, signal, handedOver }: PutOptions,
) {
  const hash = createHash('sha256');
  const file = new BatchWriter(handle, handedOver);
  let taken = 0;
  const take = (bytes: Buffer) => {
    if (size !== undefined && taken + bytes.length > size) throw lengthMismatch(size, taken + bytes.length);
    hash.update(bytes);
    taken += bytes.length;
    return file.write(bytes);
  };
  try {
    signal?.throwIfAborted();
    if (Buffer.isBuffer(body)) await take(body);
    else await drain(body, take, signal);
    await file.end();
  } finally {
    await file.close();
  }
  signal?.throwIfAborted();
  if (size !== undefined && taken !== size) throw lengthMismatch(size, taken);
  const actual = hash.digest('hex');
  if (sha256 !== undefined && actual !== sha256) throw hashMismatch(sha256, actual);
  return { size: taken, sha256: actual };
}

async function fileSystem<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw toStorageError(error);
  }
}
