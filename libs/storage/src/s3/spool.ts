import { createHash, randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { errorCode, toStorageError } from '../errors.js';
import type { Body } from './body.js';

/** Playlists and other small things never touch the disk. */
const IN_MEMORY = 256 * 1024;
const BLOCK = 256 * 1024;

/**
 * Holds a piece of a body whose length is not known, so that it can be announced and sent again. Its
 * file has no name from the moment it is made: it goes with the process, however that ends.
 */
export class Spool {
  private parts: Buffer[] = [];
  private file: FileHandle | null = null;
  size = 0;
  sha256 = '';

  constructor(private readonly folder: string) {}

  /** In place of what it held: the body's next bytes, at most `limit`. */
  async fill(body: Body, limit: number): Promise<void> {
    const hash = createHash('sha256');
    this.parts = [];
    this.size = 0;
    let written = 0;
    for await (const part of body.take(limit)) {
      hash.update(part);
      this.parts.push(part);
      this.size += part.length;
      if (this.size - written > IN_MEMORY) written += await this.flush(written);
    }
    if (written > 0) await this.flush(written);
    this.sha256 = hash.digest('hex');
  }

  /** Anew for each attempt to send it; `onSending` is told of each block. */
  content(onSending?: () => void): Readable | Buffer {
    if (this.parts.length > 0 || this.size === 0) return Buffer.concat(this.parts);
    return Readable.from(this.read(onSending), { objectMode: false });
  }

  async close(): Promise<void> {
    await this.file?.close().catch(() => undefined);
  }

  private async *read(onSending?: () => void): AsyncGenerator<Buffer> {
    const file = this.file as FileHandle;
    for (let at = 0; at < this.size; ) {
      const block = Buffer.allocUnsafe(Math.min(BLOCK, this.size - at));
      const { bytesRead } = await file.read(block, 0, block.length, at);
      if (bytesRead === 0) throw new Error('the spool is shorter than what was written to it');
      onSending?.();
      yield block.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  private async flush(from: number): Promise<number> {
    try {
      this.file ??= await nameless(this.folder);
      const bytes = Buffer.concat(this.parts);
      this.parts = [];
      for (let at = 0; at < bytes.length; ) {
        at += (await this.file.write(bytes, at, bytes.length - at, from + at)).bytesWritten;
      }
      return bytes.length;
    } catch (error) {
      throw toStorageError(error);
    }
  }
}

async function nameless(folder: string): Promise<FileHandle> {
  const path = join(folder, randomUUID());
  const file = await open(path, 'wx+', 0o600).catch(async (error: unknown) => {
    if (errorCode(error) !== 'ENOENT') throw error;
    await mkdir(folder, { recursive: true });
    return open(path, 'wx+', 0o600);
  });
  await unlink(path);
  return file;
}
