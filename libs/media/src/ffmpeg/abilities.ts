import { SluiceError } from '#contracts';
import type { Plan } from '../plan/plan.js';
import { TONE_MAPPING_FILTERS } from './color-filters.js';
import { runTool } from './supervised.js';

/** What the ffmpeg of this process was built with, of what it may be asked for. */
export interface FfmpegAbilities {
  filters: ReadonlySet<string>;
  encoders: ReadonlySet<string>;
}

export const NO_ABILITIES: FfmpegAbilities = { filters: new Set(), encoders: new Set() };

/** Asked once, at start. */
export async function ffmpegAbilities(ffmpegPath: string): Promise<FfmpegAbilities> {
  const [filters, encoders] = await Promise.all([
    namesOf(ffmpegPath, '-filters'),
    namesOf(ffmpegPath, '-encoders'),
  ]);
  return { filters, encoders };
}

/** ` TSC lut3d  V->V  …`: flags, then the name. */
async function namesOf(ffmpegPath: string, list: '-filters' | '-encoders'): Promise<Set<string>> {
  const names = new Set<string>();
  await runTool(ffmpegPath, ['-hide_banner', list], {
    limitMs: 10_000,
    onLine: (line) => {
      const name = /^\s+[A-Z.|]{3,6}\s+([a-z0-9_]+)\s/.exec(line)?.[1];
      if (name) names.add(name);
    },
  });
  return names;
}

/** Filters for tone mapping that are not there. */
export const missingToneMapping = ({ filters }: FfmpegAbilities): string[] =>
  TONE_MAPPING_FILTERS.filter((name) => !filters.has(name));

/** Throws rather than to give washed-out colours. */
export function assertAble(plan: Plan, abilities: FfmpegAbilities): void {
  const missing = plan.video.color?.conversion === 'tone-map' ? missingToneMapping(abilities) : [];
  if (missing.length === 0) return;
  throw new SluiceError(
    'hdr_not_supported',
    `The video is in HDR, and the ffmpeg of this installation cannot convert that (it lacks ${missing.join(', ')}). Export it in SDR, or ask the operator for an ffmpeg with zimg.`,
  );
}
