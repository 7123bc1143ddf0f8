import type { FileHandle } from 'node:fs/promises';
import { toStorageError } from './errors.js';
import { release } from './release.js';

/**
 * A socket gives 64 KiB at a time; a write for each costs more than the copy. So many bytes go in one
 * writev(2), and as many may gather while it runs. Of many files at once each gets less.
 */
const BATCH = { most: 256 * 1024, least: 64 * 1024, together: 2 * 1024 * 1024 };

/** Files of this process that are being written. */
let open = 0;

/** Appends to a file in batches, one write at a time, while the next batch gathers. */
export class BatchWriter {
  private batch: Buffer[] = [];
  private gathered = 0;
  private writing: Promise<unknown> = Promise.resolve();
  private isWriting = false;
  private failure: { error: unknown } | null = null;

  /** With `releases` buffers that are written are emptied. */
  constructor(
    private readonly handle: FileHandle,
    private readonly releases = false,
  ) {
    open += 1;
  }

  /**
   * A promise to wait for when a full batch cannot be handed to the disk at once; it rejects with what an
   * earlier write met, `storage_full` and the like.
   */
  write(bytes: Buffer): Promise<void> | null {
    this.batch.push(bytes);
    this.gathered += bytes.length;
    if (this.gathered < BATCH.least || this.gathered < Math.min(BATCH.most, BATCH.together / open))
      return null;
    const isFree = !this.isWriting && this.failure === null;
    const flushed = this.flush();
    return isFree ? null : flushed;
  }

  /** Everything is with the file system. */
  async end(): Promise<void> {
    await this.flush();
    await this.writing;
    this.throwFailure();
  }

  /** No write is running, whatever became of it; nothing is written after this. */
  async close(): Promise<void> {
    await this.writing;
    open -= 1;
  }

  private async flush(): Promise<void> {
    if (this.isWriting) await this.writing;
    this.throwFailure();
    const batch = this.batch;
    this.batch = [];
    this.gathered = 0;
    this.isWriting = true;
    this.writing = this.writeAll(batch)
      .catch((error: unknown) => {
        this.failure = { error: toStorageError(error) };
      })
      .finally(() => {
        this.isWriting = false;
      });
  }

  /** writev(2) may take less than it is given, most of all on a disk that fills up. */
  private async writeAll(batch: Buffer[]): Promise<void> {
    for (let left = batch; left.length > 0; ) {
      const { bytesWritten } = await this.handle.writev(left);
      left = without(left, bytesWritten);
    }
    if (this.releases) release(batch);
  }

  private throwFailure(): void {
    if (this.failure) throw this.failure.error;
  }
}

function without(buffers: Buffer[], written: number): Buffer[] {
  let left = written;
  const at = buffers.findIndex((buffer) => {
    if (left < buffer.length) return true;
    left -= buffer.length;
    return false;
  });
  return at < 0 ? [] : [buffers[at]!.subarray(left), ...buffers.slice(at + 1)];
}
