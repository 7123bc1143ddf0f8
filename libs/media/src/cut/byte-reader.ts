import { EndedEarly } from './sink.js';

/** Pulls exact byte counts out of a stream; what nobody asks for is not read, so the writer is held. */
export class ByteReader {
  private readonly chunks: AsyncIterator<Buffer>;
  private current: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Buffer>) {
    this.chunks = stream[Symbol.asyncIterator]();
  }

  /** Exactly `length` bytes in memory, or null when the stream ends before the first of them. */
  async read(length: number): Promise<Buffer | null> {
    if (this.current.length === 0 && !(await this.pull())) return null;
    if (this.current.length >= length) return this.take(length);
    const parts: Buffer[] = [];
    for await (const part of this.stream(length)) parts.push(part);
    return Buffer.concat(parts);
  }

  /** `length` bytes piece by piece. A stream that ends before them is an error: what is cut off is not whole. */
  async *stream(length: number): AsyncGenerator<Buffer> {
    let missing = length;
    while (missing > 0) {
      if (this.current.length === 0 && !(await this.pull()))
        throw new EndedEarly('the stream ended inside a box');
      const part = this.take(Math.min(missing, this.current.length));
      missing -= part.length;
      yield part;
    }
  }

  private take(length: number): Buffer {
    const taken = this.current.subarray(0, length);
    this.current = this.current.subarray(length);
    return taken;
  }

  private async pull(): Promise<boolean> {
    for (;;) {
      const next = await this.chunks.next();
      if (next.done) return false;
      if (next.value.length > 0) {
        this.current = next.value;
        return true;
      }
    }
  }
}
