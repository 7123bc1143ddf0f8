/**
 * Every error that a client, an operator or a log line can see, once.
 * `kind` decides the HTTP status and whether trying again can help (docs/contracts.md, Errors).
 */
export const ERROR_KINDS = {
  invalid: { status: 400, retryable: false },
  unauthorized: { status: 401, retryable: false },
  forbidden: { status: 403, retryable: false },
  not_found: { status: 404, retryable: false },
  timeout: { status: 408, retryable: true },
  conflict: { status: 409, retryable: false },
  gone: { status: 410, retryable: false },
  precondition: { status: 412, retryable: false },
  too_large: { status: 413, retryable: false },
  unsupported: { status: 415, retryable: false },
  headers: { status: 431, retryable: false },
  range: { status: 416, retryable: false },
  mismatch: { status: 422, retryable: true },
  /** With Retry-After. */
  too_many: { status: 429, retryable: true },
  /** The tus protocol's own status. */
  checksum: { status: 460, retryable: true },
  unavailable: { status: 503, retryable: true },
  no_space: { status: 507, retryable: true },
  internal: { status: 500, retryable: true },
} as const;

export type ErrorKind = keyof typeof ERROR_KINDS;

const ERRORS = {
  // requests
  bad_request: 'invalid',
  validation_failed: 'invalid',
  malformed_id: 'invalid',
  host_not_allowed: 'forbidden',
  origin_not_allowed: 'forbidden',
  bad_signature: 'forbidden',
  route_not_found: 'not_found',
  method_not_allowed: 'invalid',
  unsupported_media_type: 'unsupported',
  body_too_large: 'too_large',
  headers_too_large: 'headers',
  request_timeout: 'timeout',
  unavailable: 'unavailable',
  internal: 'internal',
  // who may do what
  unauthenticated: 'unauthorized',
  credentials_invalid: 'unauthorized',
  scope_missing: 'forbidden',
  key_not_found: 'not_found',
  upload_not_allowed: 'forbidden',
  rate_limited: 'too_many',
  quota_exceeded: 'forbidden',
  // uploads
  invalid_filename: 'invalid',
  invalid_options: 'invalid',
  unknown_profile: 'invalid',
  extension_not_allowed: 'unsupported',
  empty_file: 'invalid',
  file_too_large: 'too_large',
  session_not_found: 'not_found',
  session_expired: 'gone',
  session_cancelled: 'gone',
  session_closed: 'conflict',
  chunk_too_large: 'too_large',
  chunk_out_of_range: 'range',
  chunk_overlaps: 'conflict',
  chunk_conflict: 'conflict',
  chunk_hash_mismatch: 'mismatch',
  chunk_length_mismatch: 'mismatch',
  chunk_incomplete: 'invalid',
  upload_too_slow: 'timeout',
  not_a_video: 'unsupported',
  missing_chunks: 'conflict',
  file_hash_mismatch: 'mismatch',
  storage_full: 'no_space',
  batch_not_found: 'not_found',
  batch_closed: 'conflict',
  // the tus door
  tus_version_unsupported: 'precondition',
  upload_offset_mismatch: 'conflict',
  upload_taken_over: 'conflict',
  upload_checksum_mismatch: 'checksum',
  upload_is_final: 'forbidden',
  // jobs
  job_not_found: 'not_found',
  cancelled: 'conflict',
  source_unreadable: 'unsupported',
  source_truncated: 'unsupported',
  no_video_stream: 'unsupported',
  source_too_large: 'unsupported',
  source_too_long: 'unsupported',
  source_too_many_streams: 'unsupported',
  source_bit_rate_too_high: 'unsupported',
  source_bit_rate_too_low: 'unsupported',
  source_frame_rate_too_high: 'unsupported',
  hdr_not_supported: 'unsupported',
  encoder_unavailable: 'unsupported',
  probe_timeout: 'internal',
  probe_out_of_memory: 'unsupported',
  malware_found: 'unsupported',
  scan_unavailable: 'unavailable',
  encode_failed: 'internal',
  encode_stalled: 'internal',
  encode_timeout: 'internal',
  encode_out_of_memory: 'internal',
  segments_missing: 'internal',
  quality_below_floor: 'internal',
  // warnings of a completed job
  quality_not_measured: 'internal',
  track_left_out: 'internal',
  poster_failed: 'internal',
  storyboard_failed: 'internal',
  download_failed: 'internal',
  ts_not_made: 'internal',
  // what is asked of jobs
  job_open: 'conflict',
  job_ended: 'conflict',
  job_not_failed: 'conflict',
  quarantined: 'conflict',
  file_known: 'conflict',
  source_gone: 'gone',
  quarantine_not_found: 'not_found',
  // segments and media
  segment_not_found: 'not_found',
  segment_checksum_mismatch: 'mismatch',
  segment_bad_magic: 'invalid',
  lease_lost: 'conflict',
  media_not_found: 'not_found',
  not_playable_yet: 'not_found',
  range_not_satisfiable: 'range',
  object_not_found: 'not_found',
  // webhooks
  webhook_not_found: 'not_found',
  delivery_not_found: 'not_found',
  webhook_url_refused: 'invalid',
  webhook_disabled: 'conflict',
  too_many_webhooks: 'conflict',
} as const satisfies Record<string, ErrorKind>;

export type ErrorCode = keyof typeof ERRORS;

export const ERROR_CODES = Object.keys(ERRORS) as ErrorCode[];

export function kindOf(code: ErrorCode): ErrorKind {
  return ERRORS[code];
}

/** An error with a stable code. `message` is one sentence that tells a person what to do next. */
export class SluiceError extends Error {
  readonly kind: ErrorKind;

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly options: { cause?: unknown; details?: Record<string, unknown> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SluiceError';
    this.kind = kindOf(code);
  }

  get status(): number {
    return ERROR_KINDS[this.kind].status;
  }

  get retryable(): boolean {
    return ERROR_KINDS[this.kind].retryable;
  }

  get details(): Record<string, unknown> | undefined {
    return this.options.details;
  }
}

/** Body of every error answer: RFC 9457 problem details plus our stable `code`. */
export interface ProblemDetails {
  /** S3-01 answers carry `success`; an error is always false. */
  success: false;
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  request_id?: string;
  details?: Record<string, unknown>;
}
