/** `failed`: Sluice cannot work like this; `warning`: it can, with a loss that the sentence names. */
export type FindingState = 'ok' | 'warning' | 'failed';

export interface Finding {
  /** What was looked at, in one or two words. */
  part: string;
  state: FindingState;
  /** What was found, in one sentence or less. */
  says: string;
  /** What to do about it; where there is nothing to do, absent. */
  mend?: string;
}

export const ok = (part: string, says: string): Finding => ({ part, state: 'ok', says });
export const warning = (part: string, says: string, mend: string): Finding => ({
  ...{ part, state: 'warning', says, mend },
});
export const failed = (part: string, says: string, mend: string): Finding => ({
  ...{ part, state: 'failed', says, mend },
});

/** Of whatever was thrown, the sentence; a connection that nobody takes has its reason deeper down. */
export function reasonOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return reasonOf(error.errors[0]);
  if (!(error instanceof Error)) return String(error);
  return error.message || String((error as NodeJS.ErrnoException).code ?? error.name);
}
