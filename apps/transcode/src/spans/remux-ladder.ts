import { SluiceError } from '#contracts';
import { type CopyStrategy, CopyUnfit, type FailureClass, NotAsPlanned } from '#media';
import type { ClaimedSpan } from './span.repository.js';

/** What follows a failed copy (S4-05). */
export type NextStep =
  | { kind: 'strategy'; strategy: CopyStrategy }
  /** The rung is given up as a copy and encoded like the others. */
  | { kind: 'transcode'; reason: string }
  /** Not the ladder's to mend: the same again, or the end. */
  | { kind: 'none' };

export const strategyOf = (span: ClaimedSpan): CopyStrategy => span.params.copyStrategy ?? 'default';

/**
 * Pure. Broken times are regenerated, and when that does not help the rung is encoded; so it is when the
 * copy does not fall into the planned segments, which no strategy changes. A stall, a time limit, a store
 * that is away or a want of memory say nothing about the source.
 */
export function nextStep(span: ClaimedSpan, error: unknown): NextStep {
  if (span.kind !== 'copy') return { kind: 'none' };
  if (error instanceof CopyUnfit || error instanceof NotAsPlanned)
    return { kind: 'transcode', reason: error.message };
  const failure = error instanceof SluiceError ? error.details?.class : undefined;
  if (failure !== ('timestamps' satisfies FailureClass)) return { kind: 'none' };
  return strategyOf(span) === 'default'
    ? { kind: 'strategy', strategy: 'fallback' }
    : { kind: 'transcode', reason: 'the times of its frames are broken' };
}
