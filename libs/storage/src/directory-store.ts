import { randomUUID } from 'node:crypto';
import type { Dir, Stats } from 'node:fs';
import { mkdir, open, opendir, rename, rm, rmdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { SluiceError } from '#contracts';
import { errorCode, notFound, toStorageError } from './errors.js';
import { checkKey, checkPrefix } from './keys.js';
import type { ByteRange, ObjectStore, PutOptions, StoredObject } from './port.js';
import { writeTemporary } from './temporary-file.js';

/** In the same tree, so that rename never crosses a file system; keys cannot begin with a dot. */
const TEMPORARY = '.tmp';
/** Of one read(2) where nothing is sent on; larger ones gained nothing (docs/performance.md). */
const READ_BYTES = 512 * 1024;
/** A delete that tidies an empty folder away may race a put into it. */
const PUBLISH_ATTEMPTS = 20;

/** Objects as files below one directory: temporary file, fsync, rename, fsync of the directory (S0-06). */
export class DirectoryStore implements ObjectStore {
  private readonly temporary: string;
  private readonly sync: boolean;

  /** Without `sync` nothing waits for the disk: a process may die, the machine may not. */
  constructor(
    private readonly root: string,
    { sync = true }: { sync?: boolean } = {},
  ) {
    this.temporary = join(root, TEMPORARY);
    this.sync = sync;
  }

  async put(
    key: string,
    body: Readable | Buffer,
    options: PutOptions = {},
  ): Promise<{ size: number; sha256: string }> {
    const target = join(this.root, checkKey(key));
    const { path, size, sha256 } = await writeTemporary(this.temporary, body, {
      ...options,
      sync: this.sync,
    });
    try {
      await this.publish(path, target);
    } catch (error) {
      await unlink(path).catch(() => undefined);
      throw toStorageError(error);
    }
    return { size, sha256 };
  }

  async get(key: string, range?: ByteRange, signal?: AbortSignal): Promise<Readable> {
    const { handle, start, end } = await this.open(key, range);
    if (start < end) return handle.createReadStream({ start, end: end - 1, ...(signal ? { signal } : {}) });
    await handle.close();
    return Readable.from([]);
  }

  async each(key: string, take: (bytes: Buffer) => void, range?: ByteRange): Promise<void> {
    const { handle, start, end } = await this.open(key, range);
    try {
      const buffer = Buffer.allocUnsafeSlow(Math.min(end - start, READ_BYTES));
      for (let at = start; at < end; ) {
        const length = Math.min(buffer.length, end - at);
        const { bytesRead } = await handle.read(buffer, 0, length, at).catch((error: unknown) => {
          throw toStorageError(error);
        });
        if (bytesRead === 0) throw toStorageError(new Error(`${key} ended early`));
        take(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
    } finally {
      await handle.close();
    }
  }

  async stat(key: string): Promise<StoredObject | null> {
    const stats = await statOrNull(join(this.root, checkKey(key)));
    return stats?.isFile() ? { key, size: stats.size, modified: stats.mtime } : null;
  }

  async delete(key: string): Promise<void> {
    const path = join(this.root, checkKey(key));
    await unlink(path).catch(ignoreMissing);
    const parent = dirname(path);
    // Empty folders are no objects; ENOTEMPTY is the usual answer. First-level folders stay.
    if (dirname(parent) !== this.root && parent !== this.root) await rmdir(parent).catch(() => undefined);
  }

  async deletePrefix(prefix: string): Promise<void> {
    const folder = checkPrefix(prefix);
    if (folder === '') throw new TypeError('deleting everything is not what a prefix is for');
    await rm(join(this.root, folder), { recursive: true, force: true, maxRetries: 5, retryDelay: 20 }).catch(
      ignoreMissing,
    );
  }

  async *list(prefix: string): AsyncIterable<StoredObject> {
    const folder = checkPrefix(prefix);
    yield* this.walk(folder);
  }

  async sweepUnfinished(olderThan: Date): Promise<number> {
    let removed = 0;
    for await (const entry of entries(this.temporary)) {
      const path = join(this.temporary, entry.name);
      const stats = await statOrNull(path);
      if (!stats?.isFile() || stats.mtime >= olderThan) continue;
      await unlink(path).catch(ignoreMissing);
      removed += 1;
    }
    return removed;
  }

  async check(): Promise<void> {
    const probe = join(this.temporary, `check-${randomUUID()}`);
    try {
      await mkdir(this.temporary, { recursive: true });
      const handle = await open(probe, 'wx');
      await handle.write('.').finally(() => handle.close());
    } catch (error) {
      throw toStorageError(error);
    } finally {
      await unlink(probe).catch(() => undefined);
    }
  }

  private async open(key: string, range: ByteRange | undefined) {
    const handle = await open(join(this.root, checkKey(key)), 'r').catch((error: unknown) => {
      throw isMissing(error) ? notFound(key, error) : toStorageError(error);
    });
    try {
      const stats = await handle.stat();
      if (!stats.isFile()) throw notFound(key);
      return { handle, ...satisfy(range, stats.size) };
    } catch (error) {
      await handle.close().catch(() => undefined);
      throw error;
    }
  }

  private async *walk(folder: string): AsyncIterable<StoredObject> {
    for await (const entry of entries(join(this.root, folder))) {
      if (entry.name.startsWith('.')) continue;
      const key = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        yield* this.walk(key);
      } else {
        const stats = await statOrNull(join(this.root, key));
        if (stats?.isFile()) yield { key, size: stats.size, modified: stats.mtime };
      }
    }
  }

  /** The rename is the moment at which the object exists; each folder made for it is made durable too. */
  private async publish(from: string, target: string): Promise<void> {
    const parent = dirname(target);
    for (let attempt = 1; ; attempt += 1) {
      try {
        const made = await mkdir(parent, { recursive: true });
        await rename(from, target);
        if (!this.sync) return;
        const top = made === undefined ? parent : dirname(made);
        for (let folder = parent; ; folder = dirname(folder)) {
          // A folder that is gone was deleted with what we had just put into it.
          await syncFolder(folder).catch(ignoreMissing);
          if (folder === top) return;
        }
      } catch (error) {
        if (errorCode(error) !== 'ENOENT' || attempt === PUBLISH_ATTEMPTS || !(await statOrNull(from)))
          throw error;
      }
    }
  }
}

function satisfy(range: ByteRange | undefined, size: number): { start: number; end: number } {
  if (!range) return { start: 0, end: size };
  const end = Math.min(range.end ?? size, size);
  if (range.start < 0 || range.start >= end) {
    throw new SluiceError(
      'range_not_satisfiable',
      `The object has ${size} bytes; ask for a range inside of them.`,
      {
        details: { size },
      },
    );
  }
  return { start: range.start, end };
}

async function* entries(folder: string) {
  let directory: Dir;
  try {
    directory = await opendir(folder);
  } catch (error) {
    if (isMissing(error)) return;
    throw toStorageError(error);
  }
  try {
    yield* directory;
  } catch (error) {
    // The folder may be deleted while it is being read.
    if (!isMissing(error)) throw error;
  }
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  await handle.sync().finally(() => handle.close());
}

async function statOrNull(path: string): Promise<Stats | null> {
  try {
    return await stat(path);
  } catch (error) {
    if (isMissing(error)) return null;
    throw toStorageError(error);
  }
}

const isMissing = (error: unknown) => ['ENOENT', 'ENOTDIR'].includes(errorCode(error) ?? '');

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw toStorageError(error);
}
