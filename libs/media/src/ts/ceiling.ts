/** A packet's header, and what is spread at the end of a segment, which lasts a second or more. */
const [SHARE, PER_SECOND] = [188 / 184, 15 * 188 * 8];
/** The stuffing of a frame's last packet, its PES header, delimiter and clock reference. */
const PER_FRAME = 225 * 8;
/** PES packets of sound in a second, with the headers of 47 frames. */
const SOUND = 5;

/** Bits per second that MPEG-TS stays below where CMAF stays below `maxBitrate`; `fps` null: sound. */
export const tsMaxBitrate = (maxBitrate: number, fps: number | null): number =>
  Math.ceil(maxBitrate * SHARE + PER_SECOND + PER_FRAME * (fps ?? SOUND));
