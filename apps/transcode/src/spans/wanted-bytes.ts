import type { NotArrived } from '#media';
import type { ClaimedSpan } from './span.repository.js';

/** `to` null: to the end of the source. */
export interface WantedBytes {
  from: number;
  to: number | null;
}

/** A copied rung reads all that it has read again: it comes back when there is half as much more, at least so much. */
const COPY = { share: 0.5, bytes: 16 * 1024 * 1024 };

/**
 * What must be there before work goes on that came to a missing byte: so much that beginning again gains
 * something. Pictures begin at a key frame, and want the segment that they lack and the next one; sound goes
 * on where it stopped. `streaming` false: nothing of what was made is kept (S0-18), so that all of it is wanted.
 */
export function bytesToGoOn(
  { kind, params }: ClaimedSpan,
  missing: NotArrived,
  streaming: boolean,
): WantedBytes {
  const { from, to } = missing;
  const ends = params.reads?.filter((end) => end > from) ?? [];
  if (!streaming) return { from, to: ends.at(-1) ?? null };
  if (kind === 'copy') return { from, to: from + Math.max(COPY.bytes, Math.round(COPY.share * from)) };
  return { from, to: ends[1] ?? ends[0] ?? to };
}
