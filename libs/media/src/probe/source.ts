/** Bytes of a source, by range. */
export interface SourceReader {
  readonly size: number;
  /**
   * `[start, end)`, cut at the source's end. At most a few MiB: it is held in memory. Throws NotArrived
   * where the upload still runs and has not brought them.
   */
  read(start: number, end: number): Promise<Buffer>;
}

/** All of the source will be here in a moment: better than its beginning, which a plan would have to grow from. */
export class ArrivesSoon extends Error {
  override readonly name = 'ArrivesSoon';
}

/** Bytes of the source are needed that have not arrived yet: no error of anybody's, the work comes back with them. */
export class NotArrived extends Error {
  override readonly name = 'NotArrived';

  constructor(
    /** The first byte that is missing. */
    readonly from: number,
    /** One past the last that is wanted. */
    readonly to: number = from + 1,
  ) {
    super(`the bytes from ${from} to ${to} have not arrived`);
  }
}
