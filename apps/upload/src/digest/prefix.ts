import { createHash } from 'node:crypto';
import { EDGE_BYTES, SluiceError } from '#contracts';
import type { ChunkRow } from '../chunks/chunks.repository.js';
import type { SourceReader } from '../chunks/source-reader.js';
import type { Piece } from './protocol.js';
import type { DigestThread } from './thread.js';

export interface FileDigest {
  /** Lower-case hex. */
  sha256: string;
  /** Of the first and the last EDGE_BYTES; null where the end is in too many chunks to look for it. */
  edges: string | null;
  /** Of the chunks that were read; the digest is theirs, and of no others. */
  fingerprint: string;
}

/** Chunks of one order to the thread: another file gets its turn after so many. */
const AT_ONCE = 16;
const TAIL_CHUNKS = 64;

let files = 0;
const nextFile = () => {
  files += 1;
  return files;
};

/** The SHA-256 of one file as far as its chunks are confirmed without a gap. */
export class PrefixDigest {
  /** What the rows said the last time somebody looked; for whoever compares. */
  bytesSeen = 0;
  private position = 0;
  private readonly file = nextFile();
  private dropped = false;
  private readonly keys = createHash('md5');
  private reading: Promise<void> | null = null;
  private again = false;

  constructor(
    private readonly sessionId: string,
    private readonly source: Pick<SourceReader, 'contiguous' | 'last'>,
    private readonly thread: DigestThread,
  ) {}

  /** Reads on, as far as there are chunks, those that come meanwhile included. After an error this digest is lost. */
  advance(): Promise<void> {
    if (this.reading) this.again = true;
    this.reading ??= this.readOn();
    return this.reading;
  }

  /** Null: the chunks do not reach that far (any more). */
  async finish(size: number): Promise<FileDigest | null> {
    await this.advance();
    if (this.position !== size) return null;
    const tail = await this.tail(size);
    const answer = await this.thread.ask({ file: this.file, do: 'finish', position: size, tail });
    if (!('sha256' in answer)) return null;
    const { sha256, edges } = answer;
    return {
      sha256,
      edges: size <= 2 * EDGE_BYTES ? sha256 : edges,
      fingerprint: this.keys.copy().digest('hex'),
    };
  }

  /** Whoever waits for it gets an error. */
  drop(): void {
    this.dropped = true;
    this.thread.ask({ file: this.file, do: 'drop' }).catch(() => undefined);
  }

  private async readOn(): Promise<void> {
    try {
      do {
        this.again = false;
        for (let next = await this.next(); next.length > 0; next = await this.next()) await this.read(next);
      } while (this.again);
    } finally {
      this.reading = null;
      // An order that was on its way to the thread has made it begin anew.
      if (this.dropped) this.drop();
    }
  }

  private next(): Promise<ChunkRow[]> {
    return this.source.contiguous(this.sessionId, this.position, AT_ONCE);
  }

  private async read(chunks: ChunkRow[]): Promise<void> {
    if (this.dropped) throw new SluiceError('unavailable', 'This digest was given up; ask again.');
    const keys = chunks.map((chunk) => chunk.key);
    await this.thread.ask({ file: this.file, do: 'read', position: this.position, keys });
    for (const { key, size } of chunks) {
      this.keys.update(this.position === 0 ? key : `,${key}`);
      this.position += size;
    }
  }

  private async tail(size: number): Promise<Piece[] | null> {
    if (size <= 2 * EDGE_BYTES) return null;
    const from = size - EDGE_BYTES;
    const chunks = await this.source.last(this.sessionId, from, TAIL_CHUNKS);
    return (
      chunks?.map(({ key, offset, size: length }) => ({
        key,
        start: Math.max(0, from - offset),
        end: length,
      })) ?? null
    );
  }
}
