import type { QualityMetric, QualityScore } from '#contracts';

/** ffmpeg says `inf` of pictures that are the same. */
const SAME_DB = 100;

/**
 * What the filters of a run said at their end, by the rendition's place in it; null where one said nothing.
 * `log` is the end of ffmpeg's stderr at level info.
 */
export function readScores(log: string, renditions: number, metric: QualityMetric): QualityScore[] | null {
  const scores = Array.from({ length: renditions }, (_, i) => ({
    vmaf: last(log, new RegExp(`\\[libvmaf@r${i} @ [^\\]]*\\] VMAF score: *([\\d.]+)`, 'g')),
    ssim: last(log, new RegExp(`\\[ssim@r${i} @ [^\\]]*\\] SSIM .*All:([\\d.]+)`, 'g')),
    psnr: last(log, new RegExp(`\\[psnr@r${i} @ [^\\]]*\\] PSNR .*average:(inf|[\\d.]+)`, 'g')),
  }));
  const wanted = (score: QualityScore) =>
    metric === 'vmaf' ? score.vmaf !== null : score.ssim !== null && score.psnr !== null;
  return scores.every(wanted) ? scores : null;
}

function last(log: string, pattern: RegExp): number | null {
  const found = [...log.matchAll(pattern)].at(-1)?.[1];
  if (found === undefined) return null;
  return found === 'inf' ? SAME_DB : Number(found);
}

/** The mean of some samples of one rendition, metric by metric. */
export function meanScore(samples: readonly QualityScore[]): QualityScore {
  const mean = (of: (score: QualityScore) => number | null) => {
    const values = samples.map(of).filter((value) => value !== null);
    if (values.length === 0) return null;
    return Math.round((values.reduce((sum, value) => sum + value, 0) / values.length) * 1e4) / 1e4;
  };
  return { vmaf: mean((s) => s.vmaf), ssim: mean((s) => s.ssim), psnr: mean((s) => s.psnr) };
}

export interface QualityFloor {
  vmaf: number;
  ssim: number;
  /** dB */
  psnr: number;
}

/** The metric that is below its floor, in words; null when none is. */
export function belowFloor(score: QualityScore, floor: QualityFloor): string | null {
  if (score.vmaf !== null) return score.vmaf < floor.vmaf ? `VMAF ${score.vmaf} of ${floor.vmaf}` : null;
  if (score.ssim !== null && score.ssim < floor.ssim) return `SSIM ${score.ssim} of ${floor.ssim}`;
  if (score.psnr !== null && score.psnr < floor.psnr) return `PSNR ${score.psnr} dB of ${floor.psnr}`;
  return null;
}
