import type { ColorPlan } from '../plan/color.js';

/** Light of a white page in HDR, nits: what becomes white in SDR is a little above it (ITU-R BT.2408). */
const REFERENCE_WHITE = 203;
/** Brighter than what most HDR is mastered for clips, nits. */
const PEAK = 1000;
/** Below this part of reference white the light stays as it is; highlights are bent into what is left. */
const KNEE = 0.3;

/** Filters that a tone-mapping run needs and that an ffmpeg may have been built without. */
export const TONE_MAPPING_FILTERS = ['zscale', 'tonemap'] as const;

/** What comes once, before the rungs are scaled; empty where nothing but range and depth change. */
export function colorConversion({ conversion, source }: ColorPlan): string[] {
  const range = source.fullRange ? 'pc' : 'tv';
  if (conversion === 'tone-map') {
    return [
      `zscale=min=${source.matrix}:pin=${source.primaries}:tin=${source.transfer}:rin=${range}:t=linear:npl=${REFERENCE_WHITE}`,
      'format=gbrpf32le',
      'zscale=p=bt709',
      `tonemap=mobius:param=${KNEE}:desat=0:peak=${(PEAK / REFERENCE_WHITE).toFixed(3)}`,
      'zscale=t=bt709:m=bt709:r=tv',
      'format=yuv420p',
    ];
  }
  if (conversion === 'gamut') {
    return [
      'format=yuv420p10|yuv422p10|yuv444p10|yuv420p12|yuv422p12|yuv444p12|yuv420p|yuv422p|yuv444p',
      `colorspace=all=bt709:range=tv:format=yuv420p:irange=${range}:ispace=${INPUT_MATRIX[source.matrix] ?? source.matrix}:iprimaries=${source.primaries}:itrc=${source.transfer}`,
    ];
  }
  return [];
}

/** `colorspace` has another name for the one that it knows of the two. */
const INPUT_MATRIX: Record<string, string> = { bt2020nc: 'bt2020ncl' };

/** Options of a rung's `scale`: what `colorConversion` has left to do. */
export function scaleOptions({ conversion, source }: ColorPlan): string {
  if (conversion === 'rgb') return ':out_color_matrix=bt709:out_range=tv';
  const full = conversion === 'none' && source.fullRange;
  return `:in_range=${full ? 'pc' : 'tv'}:out_range=tv`;
}

/** What the frames of a rung say of themselves: an encoder believes them more than its options. */
export const frameTags = ({ output }: ColorPlan): string =>
  `setparams=range=tv:color_primaries=${output.primaries}:color_trc=${output.transfer}:colorspace=${output.matrix}`;

export const encoderTags = ({ output }: ColorPlan): string[] => [
  ...['-color_range', 'tv', '-color_primaries', output.primaries],
  ...['-color_trc', output.transfer, '-colorspace', output.matrix],
];
