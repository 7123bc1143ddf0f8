import type { RenditionName } from '#contracts';
import type { PlannedRendition } from '#media';
import type { ClaimedSpan } from './span.repository.js';

/** What one run of a span still has to make of one rendition. */
export interface MissingOutput {
  rendition: PlannedRendition;
  firstSegment: number;
}

/** Resume: each rendition goes on at its first segment without a row; one that has all of them is left out. */
export function missingOutputs(span: ClaimedSpan): MissingOutput[] {
  const end = endOf(span);
  return span.renditions.flatMap((name: RenditionName) => {
    const rendition = span.plan.renditions.find((r) => r.name === name);
    if (!rendition) return [];
    const stored = span.stored.get(name);
    let first = Math.max(span.firstSegment, span.params.skipTo[name] ?? 0);
    while (first < end && stored?.has(first)) first++;
    return first < end ? [{ rendition, firstSegment: first }] : [];
  });
}

/** One past the span's last segment. */
export const endOf = (span: ClaimedSpan): number => span.firstSegment + span.segmentCount;
