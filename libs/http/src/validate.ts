import { plainToInstance } from 'class-transformer';
import { type ValidationError, validateSync } from 'class-validator';
import { SluiceError } from '#contracts';

/** Parses what a stranger sent into a DTO, or throws `validation_failed` with one sentence that names every problem. */
export function parseBody<T extends object>(type: new () => T, body: unknown): T {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new SluiceError('bad_request', 'A JSON object is expected as the body.');
  }
  const value = instanceOf(type, body);
  const problems = validateSync(value, { whitelist: true, forbidNonWhitelisted: true }).flatMap(problemsOf);
  if (problems.length > 0) throw new SluiceError('validation_failed', `${problems.join('; ')}.`);
  return value;
}

/** Of what a body holds, too. */
const problemsOf = ({ constraints, children }: ValidationError): string[] => [
  ...Object.values(constraints ?? {}),
  ...(children ?? []).flatMap(problemsOf),
];

function instanceOf<T extends object>(type: new () => T, body: object): T {
  try {
    return plainToInstance(type, body, { enableImplicitConversion: false });
  } catch (error) {
    // class-transformer follows a body to its depth on the stack.
    if (!(error instanceof RangeError)) throw error;
    throw new SluiceError('validation_failed', 'The body is nested too deeply; flatten it.', {
      cause: error,
    });
  }
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** A UUID in lower case, or `malformed_id`. */
export function parseId(value: string): string {
  if (!UUID.test(value))
    throw new SluiceError('malformed_id', 'This id is not a UUID; use the one that we answered with.');
  return value;
}
