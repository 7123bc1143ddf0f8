import type { PlannedRendition } from '#media';
import type { ClaimedSpan } from './span.repository.js';

/** What a short span may exceed its rate by: one key frame of noise, and the boxes. */
const SLACK_BYTES = 4 * 1024 ** 2;
const MARGIN = 2;

/**
 * Bytes that one run may write of a rendition: twice what its highest rate gives over the whole span. By the
 * span and not by what is missing of it, since a copied source may spend its bits at the end.
 */
export function outputQuota({ plan, ...span }: ClaimedSpan, rendition: PlannedRendition): number {
  const frames =
    (plan.borders[span.firstSegment + span.segmentCount] as number) -
    (plan.borders[span.firstSegment] as number);
  const seconds = (frames * plan.grid.fps.den) / plan.grid.fps.num;
  return Math.ceil((MARGIN * seconds * rendition.maxBitrate) / 8) + SLACK_BYTES;
}
