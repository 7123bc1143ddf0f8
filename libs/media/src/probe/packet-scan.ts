import { type Container, type InputLimits, probeGuards } from '../ffmpeg/allow-lists.js';
import { type ProbeOptions, runProbe } from './run-probe.js';

/** What the packets of one stream say; times in ticks of its time base. */
export interface PacketTimeline {
  packets: number;
  startTicks: number;
  endTicks: number;
  /** Presentation times of key frames, ascending. */
  keyTicks: number[];
  /** Every packet lies on one grid of this rate, none twice and none missing. */
  isConstant: boolean;
  /** The same of a beginning: those that are shown before the latest may be still to come. */
  isConstantSoFar: boolean;
}

/** The probe's time, and as much again for each GB that must be read through. */
export const scanLimitMs = (seconds: number, bytes: number) => seconds * 1000 * (1 + bytes / 1e9);

export function packetArguments(
  url: string,
  container: Container,
  limits: InputLimits,
  streamIndex: number,
): string[] {
  return [
    ...['-v', 'error', '-hide_banner', ...probeGuards(container, limits)],
    ...['-select_streams', String(streamIndex)],
    ...['-show_entries', 'packet=pts,dts,duration,flags', '-of', 'csv=p=0:nk=1'],
    ...['-i', url],
  ];
}

/**
 * Reads every packet header of a source that has no index (or one that we do not trust), one line at
 * a time. `ratePerTick`: frames per tick of the nominal rate, to see whether the stream keeps it.
 */
export async function scanPackets(
  url: string,
  container: Container,
  stream: { index: number; ratePerTick: number | null; bytes: number },
  options: ProbeOptions,
): Promise<PacketTimeline | null> {
  const scan = new PacketScan(stream.ratePerTick);
  const { limits } = options;
  await runProbe(options, packetArguments(url, container, limits, stream.index), {
    limitMs: scanLimitMs(limits.probeTimeoutSeconds, stream.bytes),
    onLine: (line) => scan.add(line),
  });
  return scan.result();
}

/** A pts may be this part of a frame away from its place: containers with millisecond clocks round. */
const JITTER = 0.3;
/** H.264 allows 16 frames between decoding and showing. */
const MOST_REORDERED = 16;

/** Reads lines of `pts,dts,duration,flags`. */
export class PacketScan {
  private packets = 0;
  private start = Number.POSITIVE_INFINITY;
  private end = 0;
  private lastDuration = 0;
  private latest = Number.NEGATIVE_INFINITY;
  private sawKey = false;
  private onGrid = true;
  private origin: number | null = null;
  private readonly keys: number[] = [];

  constructor(private readonly ratePerTick: number | null) {}

  add(line: string): void {
    const [ptsText, dtsText, durationText, flags = ''] = line.split(',');
    const pts = Number(ptsText === 'N/A' ? dtsText : ptsText);
    if (ptsText === '' || Number.isNaN(pts) || flags.includes('D')) return;
    const isKey = flags.includes('K');
    // What comes before the first key frame cannot be decoded.
    if (!this.sawKey && !isKey) return;
    if (!this.sawKey) this.origin = pts;
    this.sawKey = true;
    // Leading pictures of an open first group are dropped by the decoder.
    if (pts < (this.origin as number)) return;
    const duration = Number(durationText) || this.lastDuration;
    this.lastDuration = duration;
    this.packets++;
    this.start = Math.min(this.start, pts);
    this.latest = Math.max(this.latest, pts);
    this.end = Math.max(this.end, pts + duration);
    if (isKey) this.keys.push(pts);
    if (this.ratePerTick !== null) {
      const place = (pts - (this.origin as number)) * this.ratePerTick;
      if (Math.abs(place - Math.round(place)) > JITTER) this.onGrid = false;
    }
  }

  result(): PacketTimeline | null {
    if (this.packets === 0) return null;
    const places =
      this.ratePerTick === null ? 0 : Math.round((this.latest - this.start) * this.ratePerTick) + 1;
    return {
      packets: this.packets,
      startTicks: this.start,
      endTicks: Math.max(this.end, this.latest + 1),
      keyTicks: [...this.keys].sort((a, b) => a - b),
      isConstant: this.onGrid && this.packets === places,
      isConstantSoFar: this.onGrid && this.packets <= places && places - this.packets <= MOST_REORDERED,
    };
  }
}
