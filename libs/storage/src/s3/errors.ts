import { SluiceError } from '#contracts';
import { notFound } from '../errors.js';

/** Words of the stores for "no room": AWS has none, Ceph and Swift have quotas, others say it as they like. */
const FULL =
  /^(QuotaExceeded|EntityTooLarge|InsufficientStorage|StorageFull|XMinioStorageFull|XMinioAdminBucketQuotaExceeded)$/;
const PASSING =
  /^(SlowDown|ServiceUnavailable|InternalError|RequestTimeout|RequestTimeTooSkewed|Throttling|ThrottlingException|TooManyRequestsException|OperationAborted|BadDigest|XAmzContentSHA256Mismatch|IncompleteBody)$/;
const MISSING = /^(NoSuchKey|NotFound)$/;

interface VendorError {
  name?: string;
  $metadata?: { httpStatusCode?: number };
  $response?: { statusCode?: number };
}

const nameOf = (error: unknown) => (error as VendorError | null)?.name ?? '';
const statusOf = (error: unknown) =>
  (error as VendorError | null)?.$metadata?.httpStatusCode ??
  (error as VendorError | null)?.$response?.statusCode;

export const isMissing = (error: unknown) => MISSING.test(nameOf(error)) || isBareNotFound(error);
/** HEAD answers without a body, so without a code. */
const isBareNotFound = (error: unknown) => statusOf(error) === 404 && !/^NoSuch/.test(nameOf(error));
export const isNoSuchUpload = (error: unknown) => nameOf(error) === 'NoSuchUpload';

/** Whether the same request may do better in a moment: no answer at all, 5xx, "slow down". */
export function isTransient(error: unknown): boolean {
  if (error instanceof SluiceError || FULL.test(nameOf(error))) return false;
  const status = statusOf(error);
  if (status === undefined || PASSING.test(nameOf(error))) return true;
  return status === 408 || isTrouble(status);
}

/** The store's, not ours: it may do better in a moment. */
export const isTrouble = (status: number) =>
  status === 429 || (status >= 500 && status !== 501 && status !== 507);

/** A store's or network's error in our words; SluiceErrors pass through. */
export function toStorageError(error: unknown, key?: string): unknown {
  if (error instanceof SluiceError) return error;
  if (key !== undefined && isMissing(error)) return notFound(key, error);
  const status = statusOf(error);
  if (nameOf(error) === 'InvalidRange' || status === 416) {
    return new SluiceError(
      'range_not_satisfiable',
      'The object is shorter than that; ask for a range inside of it.',
      { cause: error },
    );
  }
  if (FULL.test(nameOf(error)) || status === 507) {
    return new SluiceError(
      'storage_full',
      'The storage has no room left; free some space and send this again.',
      { cause: error },
    );
  }
  return new SluiceError('unavailable', 'The storage cannot be used now; try again in a few seconds.', {
    cause: error,
  });
}
