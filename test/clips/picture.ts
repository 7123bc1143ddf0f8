/**
 * The top eighth of every generated picture is a row of COUNTER_BITS black or white blocks: the
 * number of the frame, least significant bit on the left. It survives scaling to 240p and lossy
 * encoding, reads wrong when the picture is mirrored or not upright, and is neither black nor white
 * when two frames are blended. (test/verify/frames.ts reads it.)
 */
export const COUNTER_BITS = 10;

export interface Picture {
  width: number;
  height: number;
  /** Frames per second as ffmpeg reads it: `25`, `30000/1001`. */
  rate: string;
  frames: number;
}

const even = (value: number) => Math.max(2, Math.round(value / 2) * 2);

/** A lavfi graph: a moving test picture with the frame's number on top. */
export function numberedPicture({ width, height, rate, frames }: Picture): string {
  const stripHeight = even(height / 8);
  const bit = `mod(floor(N/pow(2\\,floor(X*${COUNTER_BITS}/W)))\\,2)*255`;
  return [
    `testsrc2=s=${width}x${height}:r=${rate},trim=end_frame=${frames}[picture]`,
    `color=s=${COUNTER_BITS * 2}x2:r=${rate},trim=end_frame=${frames},format=gray,geq=lum='${bit}',scale=${width}:${stripHeight}:flags=neighbor[strip]`,
    '[picture][strip]overlay=0:0:shortest=1,format=yuv420p',
  ].join(';');
}

/** A lavfi graph: a tone with a beat, so that silence that was put in is heard. `seconds` ≥ 0. */
export const tone = (seconds: number, options = 'sample_rate=48000'): string =>
  `sine=frequency=440:beep_factor=4:${options}:duration=${seconds}`;
