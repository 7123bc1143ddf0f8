import { type RenditionKind, SluiceError, segmentFileName } from '#contracts';
import type { PackageRows, StoredRendition } from './package-rows.js';

/** Of each rendition so many are named; the message is for people. */
const NAMED_AT_MOST = 20;

/**
 * Holds the rows against the plan: every rendition has its init segment and every segment from the
 * first to the last, each beginning where the one before ends. Throws `segments_missing` with all
 * that is not there.
 */
export async function assertComplete(
  rows: PackageRows,
  renditions: readonly StoredRendition[],
): Promise<void> {
  const missing: string[] = renditions.some(isVideo) ? [] : ['a video rendition'];
  for (const rendition of renditions) {
    missing.push(...(await missingOf(rows, rendition)).map((part) => `${rendition.name}/${part}`));
  }
  if (missing.length === 0) return;
  throw new SluiceError(
    'segments_missing',
    `The encode has ended and this is not stored: ${missing.join(', ')}. Upload the video again.`,
    { details: { missing } },
  );
}

async function missingOf(rows: PackageRows, rendition: StoredRendition): Promise<string[]> {
  const { id, kind, segmentsTotal, stored, initKey, codecs, brokenAt, ts, storedTs } = rendition;
  if (segmentsTotal === null) return ['the number of segments'];
  const parts = kind !== 'subtitles' && (initKey === null || codecs === null) ? ['init segment'] : [];
  for (const index of await rows.missing(id, segmentsTotal, NAMED_AT_MOST)) parts.push(nameOf(index, kind));
  if (parts.length === 0 && stored > segmentsTotal) parts.push(`a plan for ${stored} segments`);
  if (parts.length === 0 && brokenAt !== null) parts.push(`what belongs before ${nameOf(brokenAt, kind)}`);
  if (ts && storedTs < stored) parts.push(`${stored - storedTs} segments of MPEG-TS`);
  return parts;
}

const isVideo = ({ kind, segmentsTotal }: StoredRendition) => kind === 'video' && segmentsTotal !== 0;

/** S0-08: the name without the digest, which is not known of what is missing. */
const nameOf = (index: number, kind: RenditionKind) => segmentFileName(index, '', kind).replace('-.', '.');
