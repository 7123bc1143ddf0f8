import type { ErrorCode } from './errors.js';
import type { Quality, RenditionName } from './media.js';

/** What is made beside and after the encode of a job; none of it keeps a stream from being played. */
export const FINISHING_KINDS = ['poster', 'storyboard', 'quality', 'download'] as const;
export type FinishingKind = (typeof FINISHING_KINDS)[number];

/** How near a rendition is to the source (S1-07), the mean of its samples. Null: not measured with this metric. */
export interface QualityScore {
  /** 0–100 */
  vmaf: number | null;
  /** 0–1 */
  ssim: number | null;
  /** dB; 100 for pictures that are the same. */
  psnr: number | null;
}

/** Of a rendition, and of each of its samples. */
export interface RenditionQuality extends QualityScore {
  name: RenditionName;
}

/** `vmaf`, or what is used where ffmpeg has no libvmaf. */
export type QualityMetric = 'vmaf' | 'ssim_psnr';

/** `result.quality` of a job. */
export interface JobQuality {
  metric: QualityMetric;
  /** Segments that were compared. */
  samples: number;
  renditions: RenditionQuality[];
}

/** An entry of `result.downloads` of a job: a rendition and the default sound as one progressive MP4. */
export interface Download {
  name: Quality;
  /** Path on the gateway, from its root. */
  url: string;
  bytes: number;
}

/** What went wrong with a job that was completed all the same. */
export interface JobWarning {
  code: ErrorCode;
  /** One sentence for a person. */
  message: string;
}

/** `finishing_tasks.result`, by kind. Names are of objects in the asset's folder. */
export interface FinishingResults {
  poster: { name: string; width: number; height: number };
  storyboard: { name: string; sprite: string; tiles: number };
  quality: { metric: QualityMetric; renditions: RenditionQuality[] };
  download: { rendition: Quality; name: string; bytes: number };
}
