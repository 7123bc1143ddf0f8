import { SluiceError } from '#contracts';

export interface StallRule {
  /** Milliseconds without any growth before a run counts as hanging (S4-02). */
  stallMs: number;
  /** Milliseconds of working time at the start during which nothing is expected. */
  graceMs: number;
  /**
   * What must grow: presentation time for runs that encode; bytes for those that only copy, whose times may
   * be broken. An encoder that writes bytes without getting on in time hangs, too.
   */
  measure: 'out_time_us' | 'total_size';
}

export interface WatchRules {
  /** Working time in milliseconds after which the run is ended (S4-03); time held does not count. */
  limitMs: number;
  stall?: StallRule;
  /** Told at every look that finds what is measured grown. */
  onGrowth?: () => void;
  /** True while we ourselves withhold input or output: the clocks stand still. */
  isHeld?: () => boolean;
}

const TICK_MS = 250;

/** What `-progress` says of a run; only growth counts, a number said again does not, nor does `N/A` (S4-02). */
export class Growth {
  private readonly most: Partial<Record<string, number>> = {};
  private grown = false;

  constructor(private readonly measure: string | undefined) {}

  read(line: string): void {
    const [key, value = ''] = line.split('=', 2);
    if (key !== 'out_time_us' && key !== 'total_size') return;
    if (!/^\s*-?\d+\s*$/.test(value)) return;
    const before = this.most[key];
    if (before !== undefined && Number(value) <= before) return;
    this.most[key] = Number(value);
    if (key === this.measure) this.grown = true;
  }

  /** Whether what is measured has grown since the last call. */
  take(): boolean {
    const { grown } = this;
    this.grown = false;
    return grown;
  }

  last(key: 'out_time_us' | 'total_size'): number | null {
    return this.most[key] ?? null;
  }
}

/**
 * Ends a run that hangs or works too long. A timer of its own: a stopped ffmpeg writes no line at all. It
 * counts its own ticks, so that the time in which this process stood still is nobody's stall.
 */
export function watch(rules: WatchRules, growth: Growth, end: (why: SluiceError) => void): NodeJS.Timeout {
  let worked = 0;
  let idle = 0;
  return setInterval(() => {
    const grown = growth.take();
    if (grown) {
      idle = 0;
      rules.onGrowth?.();
    }
    if (rules.isHeld?.()) return;
    worked += TICK_MS;
    const { stall } = rules;
    if (stall && worked > stall.graceMs && !grown) idle += TICK_MS;
    if (worked > rules.limitMs) end(overTime(rules.limitMs));
    else if (stall && idle > stall.stallMs) end(stalled(idle, worked, growth));
  }, TICK_MS);
}

const overTime = (limitMs: number) =>
  new SluiceError(
    'encode_timeout',
    `ffmpeg worked longer than the ${Math.round(limitMs / 1000)} s it was given.`,
  );

const stalled = (idle: number, worked: number, growth: Growth) =>
  new SluiceError('encode_stalled', `ffmpeg made no progress for ${Math.round(idle / 1000)} s.`, {
    details: {
      stalled_ms: idle,
      worked_ms: worked,
      last_out_time_us: growth.last('out_time_us'),
      last_total_size: growth.last('total_size'),
    },
  });
