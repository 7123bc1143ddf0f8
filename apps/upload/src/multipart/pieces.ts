/** A stream of bytes that is taken piece by piece, holding at most one buffer of it. */
export class Pieces {
  private readonly iterator: AsyncIterator<Buffer>;
  private held: Buffer | null = null;

  constructor(bytes: AsyncIterable<Buffer>) {
    this.iterator = bytes[Symbol.asyncIterator]();
  }

  /** True when at least one more byte is there. */
  async more(): Promise<boolean> {
    while (this.held === null || this.held.length === 0) {
      const { done, value } = await this.iterator.next();
      if (done) return false;
      this.held = value;
    }
    return true;
  }

  /** The next bytes, at most `limit` of them. */
  async *take(limit: number): AsyncGenerator<Buffer> {
    let left = limit;
    while (left > 0 && (await this.more())) {
      const held = this.held as Buffer;
      const part = held.subarray(0, left);
      this.held = held.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** Lets go of the stream, wherever in it we are. */
  async close(): Promise<void> {
    await this.iterator.return?.();
  }
}
