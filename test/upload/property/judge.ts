import type { Plan, Send, Step } from './plan.js';
import type { Case, Client } from './run.js';
import type { Reply } from './wire.js';

/** What a session may say to anybody, once something has happened to it. */
function always({ plan }: Case, { kills }: Client): string[] {
  const cancels = plan.steps.some((step) => step.do === 'cancel');
  const others = plan.steps.some((step) => step.do === 'send' && step.how === 'other');
  const mismatch = plan.promise === 'wrong' || (plan.promise === 'right' && others);
  return [
    ...(cancels ? ['410 session_cancelled'] : []),
    ...(mismatch ? ['422 file_hash_mismatch'] : []),
    ...(kills ? ['0 no answer', '503 unavailable'] : []),
  ];
}

/** Some of these bytes are confirmed already, perhaps in pieces that end elsewhere. */
const TAKEN = ['409 chunk_overlaps', '409 chunk_conflict', '409 session_closed'];

const REFUSALS: Record<Exclude<Send['how'], 'whole'>, string[]> = {
  cut: ['0 no answer', '400 chunk_incomplete'],
  short: ['0 no answer', '400 chunk_incomplete', '413 chunk_too_large', '416 chunk_out_of_range', ...TAKEN],
  long: ['0 no answer', '400 bad_request', '422 chunk_hash_mismatch', '413 chunk_too_large', ...TAKEN],
  'wrong-hash': ['422 chunk_hash_mismatch', ...TAKEN],
  other: TAKEN,
  beyond: ['416 chunk_out_of_range', '413 chunk_too_large', ...TAKEN],
  'wrong-size': ['422 chunk_length_mismatch', '413 chunk_too_large', ...TAKEN],
  'wrong-total': ['400 validation_failed', '422 chunk_length_mismatch', '416 chunk_out_of_range'],
};

/** What is wrong with this answer, or null. */
export function judge(
  seen: Case,
  client: Client,
  step: Step,
  reply: Reply,
  before: Pick<Case, 'confirmed' | 'cancelled'>,
): string | null {
  const said = `${reply.status} ${reply.code}`.trim();
  if (reply.status >= 400 && !/[.]$/.test(String(reply.body.detail))) return 'an error without a sentence';
  if (always(seen, client).includes(said)) return null;
  if (step.do !== 'send') {
    const fine = said === '200' || (step.do === 'complete' && said === '409 missing_chunks');
    return fine ? null : `${said} to ${step.do}`;
  }
  if (said === '200')
    return mayConfirm(seen, step, reply, before) ? null : 'these bytes must not be confirmed';
  if (step.how !== 'whole')
    return REFUSALS[step.how].concat(mixed(seen.plan)).includes(said)
      ? null
      : `${said} to a ${step.how} chunk`;
  return mixed(seen.plan).includes(said) ? null : `${said} to good bytes`;
}

/** Good bytes are refused only where pieces of several grids, or other bytes, may lie in their place. */
function mixed({ strays, steps, promise, opens }: Plan): string[] {
  // By offset while the number of chunks is known and the size is not.
  if (strays && opens === 'form') return [...TAKEN, '400 validation_failed'];
  const others = promise !== 'none' && steps.some((step) => step.do === 'send' && step.how === 'other');
  return strays || others ? TAKEN : [];
}

function mayConfirm(
  { plan }: Case,
  step: Send,
  { body }: Reply,
  { confirmed }: Pick<Case, 'confirmed' | 'cancelled'>,
): boolean {
  // Announced as what is confirmed already, and answered before its bytes were read.
  const written = (body.data as { written?: boolean } | undefined)?.written;
  if (step.how === 'cut') return step.via === 'bytes' && written === false;
  if (step.how === 'other') return plan.promise !== 'none' && !confirmed.has(`${step.from}-${step.to}`);
  // The same chunk again is the same chunk, whatever else is said of it.
  return step.how === 'whole' || step.how === 'wrong-total';
}
