import { SluiceError } from '#contracts';

/** NUL and halves of surrogate pairs, as JSON escapes them: Postgres holds neither, in text or in JSON. */
const UNSTORABLE = /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i;

/** Of objects in objects; far below what ends our stack, or Postgres'. */
const MAX_DEPTH = 64;

/** What a client says of its file, at whatever depth. Throws `validation_failed`. */
export function refuseUnstorable(said: unknown): void {
  if (isDeeper(said, MAX_DEPTH)) {
    throw new SluiceError('validation_failed', `Options may be nested ${MAX_DEPTH} deep; flatten them.`);
  }
  if (UNSTORABLE.test(JSON.stringify(said))) {
    throw new SluiceError(
      'validation_failed',
      'NUL characters and broken Unicode can not be stored; send proper text.',
    );
  }
}

const isDeeper = (value: unknown, depth: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (depth === 0 || Object.values(value).some((part) => isDeeper(part, depth - 1)));
