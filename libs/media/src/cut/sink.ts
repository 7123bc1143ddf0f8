/** Where a cutter puts what it has cut. A call that does not resolve holds the cutter, and so ffmpeg. */
export interface SegmentSink {
  /** Once, before the first segment. */
  init(bytes: Buffer): Promise<void>;
  begin(index: number): Promise<void>;
  write(bytes: Buffer): Promise<void>;
  /** Start and duration in ticks of the rendition. */
  end(times: { start: number; duration: number }): Promise<void>;
}

/** The stream ended before the plan did: the encoder's own error, where it has one, is the cause. */
export class EndedEarly extends Error {
  override readonly name = 'EndedEarly';
}

/** What the source itself has cannot be served as it is; its message says why, in words. */
export class CopyUnfit extends Error {
  override readonly name = 'CopyUnfit';
}

/** What came is not what the plan says of it: key frames, frames or times stand elsewhere. */
export class NotAsPlanned extends Error {
  override readonly name = 'NotAsPlanned';
}
