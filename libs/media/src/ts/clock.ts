/** Ticks per second of PTS, DTS and PCR (ISO/IEC 13818-1 2.4.2.2). */
const CLOCK = 90_000;
const WRAP = 2 ** 33;

/**
 * PTS of time 0 of all renditions: 10 s. B-frames are decoded before they are shown, so decode times begin
 * below it, and the clock reference runs ahead of them; from 0 both would be negative, which on this clock is
 * 26.5 hours. Text says the same in its X-TIMESTAMP-MAP.
 */
export const TS_ORIGIN = 10 * CLOCK;
/** So long before its decode time the bytes of a frame are said to arrive. */
const PCR_LEAD = CLOCK / 2;
/** 2.7.2: no two references may be further than 100 ms apart. One comes after 60, in the next packet, 30 at most later. */
export const PCR_INTERVAL = (CLOCK * 60) / 1000;
export const PACKET_TIME = (CLOCK * 30) / 1000;

/** Media time in ticks of a track → time on the clock, not wrapped. */
export const onClock = (ticks: number, timescale: number): number =>
  TS_ORIGIN + Math.round((ticks * CLOCK) / timescale);

export const pcrOf = (dts: number): number => dts - PCR_LEAD;

const wrapped = (time: number): number => ((time % WRAP) + WRAP) % WRAP;

/** 33 bits in five bytes with three marker bits (2.4.3.7); `prefix`: 2 PTS alone, 3 PTS of two, 1 DTS. */
export function writeTimestamp(target: Buffer, at: number, prefix: number, time: number): void {
  const value = wrapped(time);
  target[at] = (prefix << 4) | (Math.floor(value / 2 ** 30) << 1) | 1;
  target.writeUInt16BE((Math.floor(value / 2 ** 15) % 2 ** 15) * 2 + 1, at + 1);
  target.writeUInt16BE((value % 2 ** 15) * 2 + 1, at + 3);
}

/** 33 bits of base, six reserved ones, an extension of 0 (2.4.3.4). */
export function writePcr(target: Buffer, at: number, time: number): void {
  const base = wrapped(time);
  target.writeUInt32BE(Math.floor(base / 2), at);
  target.writeUInt16BE((base % 2) * 0x8000 + 0x7e00, at + 4);
}
