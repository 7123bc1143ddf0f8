import type { Environment } from '#config';
import { QUALITIES, type Quality, readDownloads, readProfileKey } from '#contracts';
import type { StoredRendition } from '../packaging/package-rows.js';

/**
 * Renditions that become an MP4: what the upload wants (its choice is in the profile), else the deployment.
 * Of named ones those that there are; where the video is smaller than all of them, its largest.
 */
export function chosenDownloads(
  { DOWNLOADS }: Pick<Environment, 'DOWNLOADS'>,
  profile: string,
  renditions: readonly Pick<StoredRendition, 'name'>[],
): Quality[] {
  const choice = readProfileKey(profile).choice.downloads ?? readDownloads(DOWNLOADS) ?? 'none';
  const videos = QUALITIES.filter((quality) => renditions.some(({ name }) => name === quality));
  if (choice === 'none') return [];
  if (choice === 'all') return videos;
  const named = choice === 'top' ? [] : videos.filter((quality) => choice.includes(quality));
  return named.length > 0 ? named : videos.slice(0, 1);
}
