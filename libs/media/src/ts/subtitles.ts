import { TS_ORIGIN } from './clock.js';

const MAP = 'X-TIMESTAMP-MAP=MPEGTS:0,';

/** A WebVTT file of ours, its time 0 said to be that of MPEG-TS segments (RFC 8216, 3.5). */
export function subtitlesForTs(text: Buffer): Buffer {
  const at = text.indexOf(MAP);
  if (at < 0) throw new Error('a text without its place on the clock');
  const map = Buffer.from(`X-TIMESTAMP-MAP=MPEGTS:${TS_ORIGIN},`);
  return Buffer.concat([text.subarray(0, at), map, text.subarray(at + MAP.length)]);
}
