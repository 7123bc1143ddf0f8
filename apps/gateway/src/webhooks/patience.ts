/** A receiver that is back is found within this. */
const LONGEST_PAUSE_SECONDS = 4 * 3600;
/** What a receiver may ask for with Retry-After. */
const LONGEST_WISH_SECONDS = 3600;

export interface Patience {
  /** Before the second attempt. */
  firstSeconds: number;
  /** From the first attempt to the last one. */
  totalSeconds: number;
}

/**
 * Seconds until the next attempt, or null: given up. Each pause is about three times what has passed, so
 * that attempts lie at 5 s, 20 s, 80 s, 5 min, 21 min, 85 min, 5.7 h, then every 4 h, and once more at the
 * end. It is counted from rows' times, not from attempts: one that a death took away changes nothing.
 * `random`: 0–1; receivers that come back do not hear of everything at once.
 */
export function nextPause(
  elapsedSeconds: number,
  wishSeconds: number | null,
  { firstSeconds, totalSeconds }: Patience,
  random: number,
): number | null {
  const left = totalSeconds - elapsedSeconds;
  if (left <= 0) return null;
  const usual = Math.min(Math.max(firstSeconds, 3 * elapsedSeconds), LONGEST_PAUSE_SECONDS);
  const wished = Math.min(wishSeconds ?? 0, LONGEST_WISH_SECONDS);
  return Math.min(Math.max(usual * (0.8 + 0.4 * random), wished), left);
}

/** From then on an endpoint gets one message at a time, with pauses. */
export const FAILURES_OF_A_BAD_ONE = 3;
const LONGEST_REST_SECONDS = 30;

/**
 * Seconds that an endpoint is left alone after so many failures in a row, whatever else is due to it: those
 * that hang until the timeout must not fill the places of all.
 */
export function restAfter(failures: number): number {
  if (failures < FAILURES_OF_A_BAD_ONE) return 0;
  return Math.min(2 ** (failures - FAILURES_OF_A_BAD_ONE), LONGEST_REST_SECONDS);
}
