import {
  type Download,
  type JobQuality,
  type JobWarning,
  mediaPrefix,
  type Pictures,
  type RenditionQuality,
  renditionPrefix,
} from '#contracts';
import { belowFloor, meanScore, type QualityFloor } from '#media';
import type { EndedTask } from './finishing-rows.js';

export interface Verdict extends Pictures {
  quality: JobQuality | null;
  downloads: Download[];
  warnings: JobWarning[];
  /** Renditions below the floor, in words; null when there is none. */
  belowFloor: string | null;
}

/** Pure: what the finishing tasks of a job amount to. */
export function verdictOf(assetId: string, tasks: readonly EndedTask[], floor: QualityFloor): Verdict {
  const quality = qualityOf(tasks);
  const poor = (quality?.renditions ?? []).flatMap((rendition) => {
    const words = belowFloor(rendition, floor);
    return words === null ? [] : [`${rendition.name} (${words})`];
  });
  const words = poor.length === 0 ? null : `Below the wanted quality: ${poor.join(', ')}.`;
  return {
    poster: pictureOf(assetId, tasks, 'poster'),
    storyboard: pictureOf(assetId, tasks, 'storyboard'),
    quality,
    downloads: downloadsOf(assetId, tasks),
    warnings: [
      ...failures(tasks),
      ...(words === null ? [] : [{ code: 'quality_below_floor' as const, message: words }]),
    ],
    belowFloor: words,
  };
}

/** Of several tasks of a kind that failed one is named. */
function failures(tasks: readonly EndedTask[]): JobWarning[] {
  const found = new Map<string, JobWarning>();
  for (const task of tasks) {
    if (task.status === 'failed') found.set(task.code, { code: task.code, message: task.message });
  }
  return [...found.values()];
}

function pictureOf(
  assetId: string,
  tasks: readonly EndedTask[],
  kind: 'poster' | 'storyboard',
): string | null {
  for (const task of tasks) {
    if (task.status === 'done' && task.kind === kind) return `/${mediaPrefix(assetId)}${task.result.name}`;
  }
  return null;
}

/** Top rendition first: the order of the tasks. */
function downloadsOf(assetId: string, tasks: readonly EndedTask[]): Download[] {
  return tasks.flatMap((task) => {
    if (task.kind !== 'download' || task.status !== 'done') return [];
    const { rendition, name, bytes } = task.result;
    return [{ name: rendition, url: `/${renditionPrefix(assetId, rendition)}${name}`, bytes }];
  });
}

/** Samples that were taken with another metric (processes with another ffmpeg) do not count. */
function qualityOf(tasks: readonly EndedTask[]): JobQuality | null {
  const done = tasks.flatMap((task) =>
    task.kind === 'quality' && task.status === 'done' ? [task.result] : [],
  );
  const metric = done[0]?.metric;
  if (metric === undefined) return null;
  const samples = done.filter((sample) => sample.metric === metric);
  const byName = new Map<RenditionQuality['name'], RenditionQuality[]>();
  for (const rendition of samples.flatMap(({ renditions }) => renditions)) {
    byName.set(rendition.name, [...(byName.get(rendition.name) ?? []), rendition]);
  }
  return {
    metric,
    samples: samples.length,
    renditions: [...byName].map(([name, scores]) => ({ name, ...meanScore(scores) })),
  };
}
