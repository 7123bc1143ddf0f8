import { mustRun } from './run.js';

/** Three numbers of a patch: Y'CbCr codes, or light, or R'G'B'. */
export type Triple = readonly [number, number, number];

const WIDTH = 32;

/** A lavfi graph of upright stripes, each of the given codes in `format`; a second of it. */
export function stripes(format: string, codes: readonly Triple[]): string {
  const plane = (channel: 0 | 1 | 2, columns: string) =>
    codes.map((code, i) => `${code[channel]}*eq(floor(${columns}/${WIDTH})\\,${i})`).join('+');
  const [luma, cb, cr] = [plane(0, 'X'), plane(1, 'X*W/SW'), plane(2, 'X*W/SW')];
  const size = `${WIDTH * codes.length}x64`;
  const geq = /^(gbr|rgb)/.test(format)
    ? `geq=r='${plane(0, 'X')}':g='${plane(1, 'X')}':b='${plane(2, 'X')}'`
    : `geq=lum='${luma}':cb='${chroma(cb)}':cr='${chroma(cr)}'`;
  return `color=s=${size}:r=25:d=1,format=${format},${geq}`;
}

/** Chroma planes of 4:2:0 are half as wide. */
const chroma = (expression: string) => expression.replaceAll('X*W/SW', 'X*2');

/** The middle of each stripe of the first frame, decoded as the file's tags say: R'G'B' of 0 to 255. */
export async function readStripes(file: string, count: number): Promise<Triple[]> {
  const columns = count * 3;
  const { stdout } = await mustRun('ffmpeg', [
    ...['-v', 'error', '-i', file, '-frames:v', '1'],
    ...['-vf', `scale=${columns}:1:flags=area+accurate_rnd+full_chroma_int,format=rgb24`],
    ...['-f', 'rawvideo', '-'],
  ]);
  return Array.from({ length: count }, (_, i) => {
    const at = (i * 3 + 1) * 3;
    return [stdout[at] ?? 0, stdout[at + 1] ?? 0, stdout[at + 2] ?? 0] as const;
  });
}

export const probeColor = async (file: string): Promise<string> =>
  (
    await mustRun('ffprobe', [
      ...['-v', 'error', '-select_streams', 'v', '-of', 'csv=p=0', '-show_entries'],
      ...['stream=pix_fmt,color_range,color_space,color_transfer,color_primaries', file],
    ])
  ).stdout
    .toString()
    .trim();
