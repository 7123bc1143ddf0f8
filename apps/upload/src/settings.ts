import { acceptedExtensions, type Environment, loadProfiles, type Profiles } from '#config';
import type { QuotaRules } from '#work';
import type { PaceLimits } from './chunks/pace.js';

/** What the environment says about uploads (S3-04), in the units that the code uses. */
export class UploadSettings {
  /** Bytes. */
  readonly maxFileSize: number;
  /** Bytes. */
  readonly maxChunkSize: number;
  readonly sessionSeconds: number;
  /** Lower case, with their dot. */
  readonly extensions: ReadonlySet<string>;
  /** Complete files wait for a verdict (S3-09). */
  readonly scans: boolean;
  readonly deduplicate: boolean;
  readonly defaultPriority: number;
  /** Of the digest: so long after its process has died another one may begin. */
  readonly leaseSeconds: number;
  /** So long a request waits for the digest of a file whose bytes are all there. */
  readonly completeWaitMs: number;
  readonly pace: PaceLimits;
  readonly profiles: Profiles;
  readonly quotas: QuotaRules;

  constructor(environment: Environment) {
    this.maxFileSize = environment.UPLOAD_MAX_FILE_SIZE;
    this.maxChunkSize = environment.UPLOAD_MAX_CHUNK_SIZE;
    this.sessionSeconds = environment.UPLOAD_SESSION_TIMEOUT_HOURS * 3600;
    this.extensions = new Set(acceptedExtensions(environment));
    this.scans = environment.SCAN_MODE !== 'off';
    this.deduplicate = environment.ENABLE_DEDUPLICATION === 'true';
    this.defaultPriority = environment.DEFAULT_PROCESSING_PRIORITY;
    this.leaseSeconds = environment.LEASE_SECONDS;
    this.completeWaitMs = environment.UPLOAD_COMPLETE_WAIT_SECONDS * 1000;
    this.profiles = loadProfiles(environment);
    this.quotas = environment;
    this.pace = {
      stallMs: environment.UPLOAD_STALL_SECONDS * 1000,
      minRate: environment.UPLOAD_MIN_BYTES_PER_SECOND,
    };
  }
}

/** Rows per session; the largest chunk times this is far above any file that we take. */
export const MAX_CHUNKS_PER_SESSION = 100_000;
/** Objects without a row may belong to a chunk that is on its way; after an hour they are rubbish (docs/model.md). */
export const ORPHAN_AGE_MS = 3_600_000;

/** Injection token of the ServiceContext. */
export const CONTEXT = Symbol('context');
/** Injection token of the ObjectStore. */
export const STORE = Symbol('store');
