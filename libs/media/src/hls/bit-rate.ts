interface Piece {
  ticks: number;
  bytes: number;
}

/**
 * Measures what BANDWIDTH and AVERAGE-BANDWIDTH must say, one segment after the other, in memory of
 * a constant size. The peak is RFC 8216's (4.1): the highest rate of neighbouring segments that
 * together last 0.5 to 1.5 target durations, so that a last segment of one frame does not count alone.
 */
export class BitRateMeter {
  private readonly recent: Piece[] = [];
  private readonly total: Piece = { ticks: 0, bytes: 0 };
  private highest = 0;

  constructor(
    private readonly timescale: number,
    /** Seconds. */
    private readonly targetDuration: number,
  ) {}

  add(durationTicks: number, bytes: number): void {
    this.total.ticks += durationTicks;
    this.total.bytes += bytes;
    this.recent.push({ ticks: durationTicks, bytes });
    const target = this.targetDuration * this.timescale;
    const window: Piece = { ticks: 0, bytes: 0 };
    for (let index = this.recent.length - 1; index >= 0; index -= 1) {
      const piece = this.recent[index]!;
      window.ticks += piece.ticks;
      window.bytes += piece.bytes;
      if (window.ticks > 1.5 * target) {
        this.recent.splice(0, index + 1);
        break;
      }
      if (window.ticks >= 0.5 * target) this.highest = Math.max(this.highest, this.rate(window));
    }
  }

  /** Bits per second. */
  get average(): number {
    return this.rate(this.total);
  }

  /** Bits per second, never below the average. */
  get peak(): number {
    return Math.max(this.highest, this.average);
  }

  private rate({ ticks, bytes }: Piece): number {
    return ticks === 0 ? 0 : Math.ceil((bytes * 8 * this.timescale) / ticks);
  }
}
