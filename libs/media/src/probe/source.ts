/** Bytes of a source, by range; a read of what has not arrived yet waits for it. */
export interface SourceReader {
  readonly size: number;
  /** `[start, end)`, cut at the source's end. At most a few MiB: it is held in memory. */
  read(start: number, end: number): Promise<Buffer>;
}
