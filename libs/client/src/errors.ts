import type { ErrorCode } from '#contracts';

/** What the client itself finds out; everything else is the service's own code. */
export type ClientErrorCode =
  | ErrorCode
  | 'network'
  | 'timeout'
  | 'aborted'
  | 'bad_answer'
  /** Of `putFile`: an answer that is no success, of a service that is not ours. */
  | 'http_status'
  | 'bad_url'
  /** The file is another one than it was. */
  | 'bad_source'
  | 'file_not_found'
  | 'file_unreadable'
  | 'not_a_file'
  | 'file_too_small'
  | 'not_a_video_type';

/** What failed (S2-05): our own check of the file, the connection, the time, or the service's answer. */
export type ClientErrorKind = 'validation' | 'network' | 'timeout' | 'http' | 'aborted';

/** Every failure of the client. `bytesSent`: bytes of the file that the service had confirmed by then (S2-05). */
export class SluiceClientError extends Error {
  constructor(
    readonly code: ClientErrorCode,
    message: string,
    readonly options: {
      /** HTTP status; 0 when there was no answer. */
      status?: number;
      bytesSent?: number;
      details?: Record<string, unknown>;
      cause?: unknown;
    } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SluiceClientError';
  }

  get status(): number {
    return this.options.status ?? 0;
  }

  get kind(): ClientErrorKind {
    if (this.code === 'network' || this.code === 'timeout' || this.code === 'aborted') return this.code;
    return this.status > 0 ? 'http' : 'validation';
  }

  get bytesSent(): number {
    return this.options.bytesSent ?? 0;
  }

  get details(): Record<string, unknown> | undefined {
    return this.options.details;
  }

  /** The same error, with what had been confirmed when it ended an upload. */
  withBytesSent(bytesSent: number): SluiceClientError {
    const error = new SluiceClientError(this.code, this.message, { ...this.options, bytesSent });
    if (this.stack !== undefined) error.stack = this.stack;
    return error;
  }
}

export const aborted = (cause?: unknown) =>
  new SluiceClientError('aborted', 'The upload was stopped; start it again to go on where it was.', {
    cause,
  });
