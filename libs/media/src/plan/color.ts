import type { ProbedVideo } from '../probe/ffprobe.js';

/** Names of ffmpeg; only those of the lists below ever reach a filter. */
export interface ColorTags {
  matrix: string;
  primaries: string;
  transfer: string;
}

/** How a source's pictures become 8-bit 4:2:0 of limited range in a standard dynamic range. */
export interface ColorPlan {
  /**
   * `none`: the pictures keep their colours and say so. `rgb`, `gamut` (wide, or a matrix that players do
   * not know) and `tone-map` (PQ, HLG) become BT.709.
   */
  conversion: 'none' | 'rgb' | 'gamut' | 'tone-map';
  source: ColorTags & { fullRange: boolean };
  output: ColorTags;
}

const BT709: ColorTags = { matrix: 'bt709', primaries: 'bt709', transfer: 'bt709' };
const NTSC: ColorTags = { matrix: 'smpte170m', primaries: 'smpte170m', transfer: 'smpte170m' };
const PAL: ColorTags = { matrix: 'bt470bg', primaries: 'bt470bg', transfer: 'smpte170m' };
const BT2020: ColorTags = { matrix: 'bt2020nc', primaries: 'bt2020', transfer: 'bt2020-10' };
const SAID: Record<string, ColorTags> = { bt709: BT709, smpte170m: NTSC, bt470bg: PAL };

const HDR = ['smpte2084', 'arib-std-b67'];
/** Curves that are shown alike, or that browsers tell apart. */
const USUAL_TRANSFERS = ['bt709', 'smpte170m', 'iec61966-2-1'];
const WIDE_PRIMARIES = ['bt2020', 'smpte431', 'smpte432'];
/** Matrices that browsers do not know, and ffmpeg's `colorspace` does. */
const ODD_MATRICES = ['bt2020nc', 'smpte240m', 'ycgco', 'fcc'];
/** Below this short side players take pictures that say nothing for BT.601, and from it on for BT.709. */
const SMALLEST_HD = 720;
const PAL_HEIGHTS = [288, 576];

export const isHdr = (video: Pick<ProbedVideo, 'transfer'>): boolean => HDR.includes(video.transfer);

/** Pure. What a file does not say is taken for what players take it for. */
export function planColor(video: ProbedVideo): ColorPlan {
  const fullRange = video.range === 'pc' || video.pixelFormat.startsWith('yuvj');
  if (isHdr(video)) {
    const primaries = WIDE_PRIMARIES.includes(video.primaries) ? video.primaries : 'bt2020';
    return {
      conversion: 'tone-map',
      source: { matrix: 'bt2020nc', primaries, transfer: video.transfer, fullRange },
      output: BT709,
    };
  }
  if (/^(rgb|bgr|gbr|argb|abgr|0rgb|0bgr|x2rgb|x2bgr|pal8)/.test(video.pixelFormat))
    return { conversion: 'rgb', source: { ...BT709, fullRange: true }, output: BT709 };
  if (ODD_MATRICES.includes(video.matrix) || WIDE_PRIMARIES.includes(video.primaries)) {
    const { matrix, primaries, transfer } = video.matrix === 'bt2020nc' ? BT2020 : BT709;
    const source = {
      matrix: video.matrix in SAID || ODD_MATRICES.includes(video.matrix) ? video.matrix : matrix,
      primaries:
        video.primaries in SAID || WIDE_PRIMARIES.includes(video.primaries) ? video.primaries : primaries,
      transfer: [...USUAL_TRANSFERS, 'bt2020-10', 'bt2020-12'].includes(video.transfer)
        ? video.transfer
        : transfer,
      fullRange,
    };
    return { conversion: 'gamut', source, output: BT709 };
  }
  const output = SAID[video.matrix] ?? guess(video);
  const said = {
    matrix: output.matrix,
    primaries: video.primaries in SAID ? video.primaries : output.primaries,
    transfer: USUAL_TRANSFERS.includes(video.transfer) ? video.transfer : output.transfer,
  };
  return { conversion: 'none', source: { ...said, fullRange }, output: said };
}

function guess({ width, height }: ProbedVideo): ColorTags {
  if (Math.min(width, height) >= SMALLEST_HD) return BT709;
  return PAL_HEIGHTS.includes(height) ? PAL : NTSC;
}
