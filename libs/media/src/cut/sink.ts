/** Where a cutter puts what it has cut. A call that does not resolve holds the cutter, and so ffmpeg. */
export interface SegmentSink {
  /** Once, before the first segment. */
  init(bytes: Buffer): Promise<void>;
  begin(index: number): Promise<void>;
  write(bytes: Buffer): Promise<void>;
  /** Start and duration in ticks of the rendition. */
  end(times: { start: number; duration: number }): Promise<void>;
}
