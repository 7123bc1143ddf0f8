import { readFragments } from '#media';
import type { ObjectStore } from '#storage';
import type { StallWatch } from './stall-watch.js';
import type { StoredSegment } from './stored-media.js';

/** Bytes of stored segments, under the eyes of a watch. */
export class SegmentReader {
  constructor(
    private readonly store: ObjectStore,
    private readonly watch: StallWatch,
  ) {}

  async bytes(key: string, start: number, end: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of await this.store.get(key, { start, end }, this.watch.signal))
      parts.push(part as Buffer);
    this.watch.moved();
    return Buffer.concat(parts);
  }

  /** What is inside of all `mdat`, without their heads. */
  async *media(segments: readonly StoredSegment[]): AsyncGenerator<Buffer> {
    for (const { key } of segments) {
      const stream = await this.store.get(key, undefined, this.watch.signal);
      try {
        for await (const piece of readFragments(stream)) {
          if (piece.kind === 'init') continue;
          for await (const part of piece.media) {
            this.watch.moved();
            yield part;
          }
        }
      } finally {
        stream.destroy();
      }
    }
  }
}
