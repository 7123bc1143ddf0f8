import type { QualityMetric } from '#contracts';
import { GLOBALS, guardsOf, videoFilters } from '../ffmpeg/command.js';
import { runTool } from '../ffmpeg/supervised.js';
import type { Plan, PlannedRendition } from '../plan/plan.js';

export interface QualityRun {
  /** The source, and where its decoding begins, as in the span that the segment is of. */
  source: string;
  seekSeconds: number | null;
  /** Index of the segment that is compared. */
  segment: number;
  /** Each with the address of its init segment and this segment, one behind the other. */
  renditions: { rendition: PlannedRendition; source: string }[];
  metric: QualityMetric;
}

/** Whether this ffmpeg has libvmaf; without it there are SSIM and PSNR, which every build has. */
export async function qualityMetric(ffmpegPath: string): Promise<QualityMetric> {
  let metric: QualityMetric = 'ssim_psnr';
  await runTool(ffmpegPath, ['-hide_banner', '-filters'], {
    limitMs: 10_000,
    onLine: (line) => {
      if (/^\s\S+\s+libvmaf\s/.test(line)) metric = 'vmaf';
    },
  });
  return metric;
}

/**
 * One segment of all encoded renditions against the source, which is decoded once and comes through the
 * filters that the encoder had, at each rendition's size. Both sides count in frames of the grid, so that a
 * frame that is lost or late is compared with another one. The filters' instances are named after the
 * rendition's place (`ssim@r0`) and say their means when they end (scores.ts).
 */
export function qualityRun(plan: Plan, run: QualityRun): string[] {
  const { fps } = plan.grid;
  const source = videoFilters(plan, {
    source: run.source,
    seekSeconds: run.seekSeconds,
    endSegment: run.segment + 1,
    outputs: run.renditions.map(({ rendition }) => ({ rendition, firstSegment: run.segment, target: '' })),
  });
  const names = run.metric === 'vmaf' ? ['libvmaf'] : ['ssim', 'psnr'];
  const comparisons = run.renditions.flatMap((_, i) => [
    `[v${i}]split=${names.length}${names.map((name) => `[${name}_source${i}]`).join('')}`,
    `[${i + 1}:v:0]settb=${fps.den}/${fps.num},setsar=1,split=${names.length}${names.map((name) => `[${name}_made${i}]`).join('')}`,
    ...names.map((name) => `[${name}_made${i}][${name}_source${i}]${name}@r${i}[${name}${i}]`),
  ]);
  const own = guardsOf({ ...plan, container: 'mov' });
  return [
    ...[...GLOBALS, '-v', 'info', '-filter_complex_threads', '1', '-copyts', '-noaccurate_seek'],
    ...(run.seekSeconds === null ? [] : ['-ss', run.seekSeconds.toFixed(6)]),
    ...['-threads', '1', ...guardsOf(plan), '-i', run.source],
    ...run.renditions.flatMap((one) => ['-threads', '1', ...own, '-i', one.source]),
    ...['-filter_complex', [...source, ...comparisons].join(';')],
    ...run.renditions.flatMap((_, i) => names.flatMap((name) => ['-map', `[${name}${i}]`])),
    ...['-f', 'null', '-'],
  ];
}
