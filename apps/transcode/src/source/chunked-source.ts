import { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '#contracts';
import { NotArrived, type SourceReader } from '#media';
import type { DataSource } from '#persistence';
import type { ObjectStore } from '#storage';

interface ChunkRow {
  byte_offset: number;
  size: number;
  storage_path: string;
}

interface SessionRow {
  id: string;
  file_size: number | null;
  bytes_received: number;
  status: string;
  age_seconds: number;
}

/** Between looks for the chunk that a reader waits for. */
const LOOK_AGAIN_MS = 100;
/** In which demuxers look for the last time stamp: OGG 64 KiB, MPEG-TS 250 KB and more. */
const TAIL_BYTES = 1024 * 1024;
const COLUMNS = 'byte_offset, size, storage_path';

/** Told while a reader waits for bytes that have not arrived. */
export interface Waiting {
  begin(offset: number): void;
  end(): void;
}

/**
 * The chunks of a session as one readable file; nothing is ever assembled. Of an upload that still runs
 * some are missing: `read` says so at once, `stream` waits for them.
 */
export class ChunkedSource implements SourceReader {
  private constructor(
    private readonly dataSource: DataSource,
    private readonly store: ObjectStore,
    private readonly sessionId: string,
    /** By their place, without overlap. */
    private readonly chunks: ChunkRow[],
    readonly size: number,
    /** So long the rest will be on its way, at the pace of what has come; 0 when all is here. */
    readonly arrivalSeconds: number,
  ) {}

  /** The source of a job, whole or arriving. Throws `source_unreadable` when its chunks can not make a whole. */
  static async open(dataSource: DataSource, store: ObjectStore, jobId: string): Promise<ChunkedSource> {
    const sessions = (await dataSource.query(
      `SELECT id, file_size, bytes_received, status, extract(epoch FROM now() - created_at)::float8 AS age_seconds
       FROM upload_sessions
       WHERE job_id = $1 AND status IN ('active', 'completed') ORDER BY created_at LIMIT 1`,
      [jobId],
    )) as SessionRow[];
    const session = sessions[0];
    if (!session) throw incomplete();
    const chunks = (await dataSource.query(
      `SELECT ${COLUMNS} FROM upload_chunks WHERE session_id = $1 ORDER BY byte_offset`,
      [session.id],
    )) as ChunkRow[];
    const size = session.file_size ?? session.bytes_received;
    if (session.status === 'completed' && sumOf(chunks) !== size) throw incomplete();
    if (size === 0) throw incomplete();
    const { bytes_received: received, age_seconds: age } = session;
    const arrival = received === 0 ? Number.POSITIVE_INFINITY : ((size - received) * age) / received;
    return new ChunkedSource(dataSource, store, session.id, chunks, size, arrival);
  }

  /**
   * The same as if it ended where its first gap is, until its end has arrived: a demuxer that finds no index
   * looks for one, or for the last time stamp, at the end, and would wait for it.
   */
  async beginning(): Promise<ChunkedSource> {
    if ((await this.missingFrom(Math.max(0, this.size - TAIL_BYTES), this.size)) === null) return this;
    const end = (await this.missingFrom(0, this.size)) ?? this.size;
    return new ChunkedSource(
      this.dataSource,
      this.store,
      this.sessionId,
      this.chunks,
      end,
      this.arrivalSeconds,
    );
  }

  /** Throws NotArrived with the first missing byte. */
  async read(start: number, end: number): Promise<Buffer> {
    const last = Math.min(end, this.size);
    const missing = await this.missingFrom(start, last);
    if (missing !== null) throw new NotArrived(missing, last);
    const parts: Buffer[] = [];
    for await (const part of this.stream(start, last)) parts.push(part as Buffer);
    return Buffer.concat(parts);
  }

  /** `[start, end)`; destroying it lets go of the chunk that is being read. */
  stream(start: number, end: number, signal?: AbortSignal, waiting?: Waiting): Readable {
    return Readable.from(this.pieces(start, end, signal, waiting), { objectMode: false });
  }

  private async *pieces(
    start: number,
    end: number,
    signal?: AbortSignal,
    waiting?: Waiting,
  ): AsyncGenerator<Buffer> {
    for (let at = start; at < end; ) {
      const chunk = this.held(at) ?? (await this.arrived(at)) ?? (await this.arrival(at, signal, waiting));
      const range = { start: at - chunk.byte_offset, end: Math.min(chunk.size, end - chunk.byte_offset) };
      yield* (await this.store.get(chunk.storage_path, range, signal)) as AsyncIterable<Buffer>;
      at = chunk.byte_offset + range.end;
    }
  }

  private async missingFrom(start: number, end: number): Promise<number | null> {
    let at = start;
    while (at < end) {
      const chunk = this.held(at) ?? (await this.arrived(at));
      if (!chunk) return at;
      at = chunk.byte_offset + chunk.size;
    }
    return null;
  }

  /** Waits until somebody has sent the byte at `offset`; whoever ends the upload aborts the signal. */
  private async arrival(offset: number, signal?: AbortSignal, waiting?: Waiting): Promise<ChunkRow> {
    waiting?.begin(offset);
    try {
      for (;;) {
        await sleep(LOOK_AGAIN_MS, undefined, signal ? { signal } : {});
        const chunk = await this.arrived(offset);
        if (chunk) return chunk;
      }
    } finally {
      waiting?.end();
    }
  }

  /** The chunk that holds `offset`, if it is there by now. */
  private async arrived(offset: number): Promise<ChunkRow | null> {
    const rows = (await this.dataSource.query(
      `SELECT ${COLUMNS} FROM upload_chunks WHERE session_id = $1 AND byte_offset <= $2
       ORDER BY byte_offset DESC LIMIT 1`,
      [this.sessionId, offset],
    )) as ChunkRow[];
    const chunk = rows[0];
    if (!chunk || chunk.byte_offset + chunk.size <= offset) return null;
    this.chunks.splice(this.placeOf(offset), 0, chunk);
    return chunk;
  }

  private held(offset: number): ChunkRow | null {
    const chunk = this.chunks[this.placeOf(offset) - 1];
    return chunk && chunk.byte_offset + chunk.size > offset ? chunk : null;
  }

  /** How many chunks begin at or before `offset`. */
  private placeOf(offset: number): number {
    let [low, high] = [0, this.chunks.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.chunks[middle] as ChunkRow).byte_offset <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

const sumOf = (chunks: ChunkRow[]) => chunks.reduce((sum, { size }) => sum + size, 0);

const incomplete = () =>
  new SluiceError('source_unreadable', 'Parts of the uploaded file are missing; upload it again.');
