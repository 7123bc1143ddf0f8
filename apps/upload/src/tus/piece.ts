/** Bytes that are counted on their way, and that say when the last of them has been taken. */
export class Piece implements AsyncIterable<Buffer> {
  /** Bytes. */
  size = 0;
  readonly taken: Promise<void>;
  private end: () => void = () => undefined;

  constructor(private readonly bytes: AsyncIterable<Buffer>) {
    this.taken = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for await (const part of this.bytes) {
        this.size += part.length;
        yield part;
      }
    } finally {
      this.end();
    }
  }
}
