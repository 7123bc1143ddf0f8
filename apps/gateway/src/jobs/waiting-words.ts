import type { WaitingFor } from '#contracts';

/** Why nobody works on a job, for whoever has sent its file. */
export function waitingWords(waitingFor: WaitingFor | null, place: number | null): string | null {
  if (waitingFor === 'upload') return 'The rest of the file is still to be sent.';
  if (waitingFor === 'scan') return 'The virus scanner looks at the file.';
  if (waitingFor !== 'place') return null;
  if (place === null) return 'Other videos are being worked on.';
  if (place === 1) return 'Other videos are being worked on; this one is next.';
  return `Other videos are being worked on; this one is number ${place} in line.`;
}
