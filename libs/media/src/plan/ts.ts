import type { Codec } from '#contracts';
import type { PlannedRendition } from './plan.js';

/**
 * Says of each rendition whether its segments are made as MPEG-TS, too (S0-11): HLS has H.264 in them, and the
 * other codecs in fragmented MP4 only. Without pictures there is nothing to make of the sound.
 */
export const withTs = (
  renditions: PlannedRendition[],
  wanted: boolean | null,
  codec: Codec,
): PlannedRendition[] =>
  wanted === true ? renditions.map((rendition) => ({ ...rendition, ts: codec === 'h264' })) : renditions;
