import { Readable } from 'node:stream';
import { SluiceError } from '#contracts';
import type { SourceReader } from '#media';
import type { DataSource } from '#persistence';
import type { ObjectStore } from '#storage';

interface ChunkRow {
  byte_offset: number;
  size: number;
  storage_path: string;
}

/** The chunks of a session as one readable file; nothing is ever assembled. */
export class ChunkedSource implements SourceReader {
  private constructor(
    private readonly store: ObjectStore,
    private readonly chunks: ChunkRow[],
    readonly size: number,
  ) {}

  /** The completed source of a job. Throws `source_unreadable` when its chunks do not make a whole. */
  static async open(dataSource: DataSource, store: ObjectStore, jobId: string): Promise<ChunkedSource> {
    const chunks = (await dataSource.query(
      `SELECT byte_offset, size, storage_path FROM upload_chunks
       WHERE session_id = (SELECT id FROM upload_sessions WHERE job_id = $1 AND status = 'completed' ORDER BY created_at LIMIT 1)
       ORDER BY byte_offset`,
      [jobId],
    )) as ChunkRow[];
    let size = 0;
    for (const chunk of chunks) {
      if (chunk.byte_offset !== size) throw incomplete();
      size += chunk.size;
    }
    if (size === 0) throw incomplete();
    return new ChunkedSource(store, chunks, size);
  }

  async read(start: number, end: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.stream(start, Math.min(end, this.size))) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  /** `[start, end)`; destroying it lets go of the chunk that is being read. */
  stream(start: number, end: number, signal?: AbortSignal): Readable {
    return Readable.from(this.pieces(start, end, signal), { objectMode: false });
  }

  private async *pieces(start: number, end: number, signal?: AbortSignal): AsyncGenerator<Buffer> {
    for (let i = this.chunkAt(start); i < this.chunks.length; i++) {
      const chunk = this.chunks[i] as ChunkRow;
      if (chunk.byte_offset >= end) return;
      const range = {
        start: Math.max(0, start - chunk.byte_offset),
        end: Math.min(chunk.size, end - chunk.byte_offset),
      };
      yield* (await this.store.get(chunk.storage_path, range, signal)) as AsyncIterable<Buffer>;
    }
  }

  /** Index of the chunk that holds `offset`. */
  private chunkAt(offset: number): number {
    let [low, high] = [0, this.chunks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.chunks[middle] as ChunkRow).byte_offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

const incomplete = () =>
  new SluiceError('source_unreadable', 'Parts of the uploaded file are missing; upload it again.');
