import { SluiceError } from '#contracts';

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EFBIG']);

/** A file system's error in our words; SluiceErrors pass through. */
export function toStorageError(error: unknown): unknown {
  if (error instanceof SluiceError) return error;
  const code = errorCode(error);
  if (code !== undefined && FULL.has(code)) {
    return new SluiceError(
      'storage_full',
      'The storage has no room left; free some space and send this again.',
      {
        cause: error,
      },
    );
  }
  return new SluiceError('unavailable', 'The storage cannot be used now; try again in a few seconds.', {
    cause: error,
  });
}

export const notFound = (key: string, cause?: unknown) =>
  new SluiceError('object_not_found', `The object ${key} is not in the store; ask for what a row names.`, {
    cause,
  });

export const lengthMismatch = (expected: number, actual: number) =>
  new SluiceError(
    'chunk_length_mismatch',
    `${expected} bytes were announced and ${actual} came; send these bytes again with their true length.`,
    { details: { expected, actual } },
  );

export const hashMismatch = (expected: string, actual: string) =>
  new SluiceError(
    'chunk_hash_mismatch',
    'The bytes that arrived do not have the SHA-256 that was announced; send them again.',
    { details: { expected, actual } },
  );

export function errorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : undefined;
}
