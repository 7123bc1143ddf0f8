import type { FileHandle } from 'node:fs/promises';
import { toStorageError } from './errors.js';
import { release } from './release.js';

/**
 * A socket gives 64 KiB at a time; a write for each costs more than the copy. So many bytes go in one
 * writev(2), and as many may gather while it runs: at most twice this is held for each file.
 */
const BATCH = 256 * 1024;

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
  ) {}

  /**
   * A promise to wait for when a full batch cannot be handed to the disk at once; it rejects with what an
   * earlier write met, `storage_full` and the like.
   */
  write(bytes: Buffer): Promise<void> | null {
    this.batch.push(bytes);
    this.gathered += bytes.length;
    if (this.gathered < BATCH) return null;
    const isFree = !this.isWriting && this.failure === null;
    const flushed = this.flush();
    return isFree ? null : flushed;
  }

  /** Everything is with the file system. */
  async end(): Promise<void> {
    await this.flush();
    await this.idle();
    this.throwFailure();
  }

  /** No write is running, whatever became of it. */
  async idle(): Promise<void> {
    await this.writing;
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
