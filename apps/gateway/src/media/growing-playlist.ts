import type { SegmentFormat } from '#contracts';
import { PLAYLIST_END, playlistHead, segmentLines, targetDurationFor } from '#media';
import type { EarlyRendition, EarlySegment } from './early-rows.js';

/**
 * The early media playlist of one rendition as far as it has been read: text that only grows, so that
 * a poll reads the new segments only.
 */
export class GrowingPlaylist {
  /** Index of the first segment that is not in it. */
  frontier = 0;
  private lines = '';
  private longestTicks = 0;
  private readonly line: (segment: { uri: string; durationTicks: number }) => string;

  constructor(
    private readonly timescale: number,
    private readonly format: SegmentFormat,
  ) {
    this.line = segmentLines(timescale);
  }

  /** Takes the segment at the frontier; any other is passed over. */
  add({ index, key, tsKey, durationTicks }: EarlySegment): void {
    const object = this.format === 'ts' ? tsKey : key;
    if (index !== this.frontier || object === null) return;
    this.lines += this.line({ uri: baseName(object), durationTicks });
    this.longestTicks = Math.max(this.longestTicks, durationTicks);
    this.frontier += 1;
  }

  /** The text, as long as the rendition has an init segment and a first segment. */
  text(rendition: EarlyRendition): string | null {
    if (rendition.initKey === null || this.frontier === 0) return null;
    const head = playlistHead({
      targetDuration: targetDurationFor(rendition.targetDuration, this.longestTicks, this.timescale),
      type: 'EVENT',
      mapUri: this.format === 'ts' ? null : baseName(rendition.initKey),
      format: this.format,
    });
    const ended = rendition.completed && this.frontier === rendition.segmentsTotal;
    return head + this.lines + (ended ? PLAYLIST_END : '');
  }
}

const baseName = (key: string): string => key.slice(key.lastIndexOf('/') + 1);
