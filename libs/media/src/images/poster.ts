import { GLOBALS, guardsOf } from '../ffmpeg/command.js';
import type { Plan } from '../plan/plan.js';
import { toNumber } from '../plan/rational.js';

export interface PosterRun {
  /** Init segment and some segments of a video rendition, one behind the other. */
  source: string;
  target: string;
  /** Pictures that are all but black are passed over; with `false` any will do. */
  notBlack: boolean;
}

/** Frames a second that are looked at, and of how many in a row the most typical is taken: about one segment. */
const LOOKED_AT = 2;
const OUT_OF = 8;
/** Mean luma (16 is black) that a picture must exceed; a night scene has about 30, a title on black 20. */
const DARKEST = 24;
/** mjpeg's scale, 2 best. */
const JPEG_QUALITY = '4';

/** One JPEG in the rendition's size: a typical picture of the first of these segments that is not dark. */
export function posterRun(plan: Plan, run: PosterRun): string[] {
  const bright = `signalstats,metadata=mode=select:key=lavfi.signalstats.YAVG:value=${DARKEST}:function=greater,`;
  const step = Math.max(1, Math.round(toNumber(plan.grid.fps) / LOOKED_AT));
  // Not `fps`, which would fill the time between two segments.
  const filters = `select='not(mod(n,${step}))',${run.notBlack ? bright : ''}thumbnail=n=${OUT_OF},${TO_JPEG}`;
  return jpegRun(plan, run.source, [], filters, run.target);
}

/** Players' JPEG decoders take the full range of values for granted. */
export const TO_JPEG = 'scale=out_range=full,format=yuvj420p';

export function jpegRun(
  plan: Plan,
  source: string,
  decoder: string[],
  filters: string,
  target: string,
): string[] {
  return [
    ...[...GLOBALS, '-filter_threads', '1', '-copyts', '-threads', '1'],
    ...[...decoder, ...guardsOf({ ...plan, container: 'mov' }), '-i', source],
    ...[
      '-map',
      '0:v:0',
      '-vf',
      filters,
      '-frames:v',
      '1',
      '-fps_mode',
      'passthrough',
      '-map_metadata',
      '-1',
      '-fflags',
      '+bitexact',
    ],
    ...['-c:v', 'mjpeg', '-threads', '1', '-q:v', JPEG_QUALITY, '-f', 'image2pipe', target],
  ];
}
