import type { ProblemDetails } from '#contracts';
import { aborted, SluiceClientError } from './errors.js';

export interface TransportRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  body?: string | Uint8Array<ArrayBuffer> | Blob;
  headers?: Record<string, string>;
  signal?: AbortSignal | undefined;
  /** 3 by default. */
  attempts?: number;
}

const ATTEMPTS = 3;
const FIRST_DELAY_MS = 300;
/** Asking again can help with these; a broken chunk is sent again because it may have broken on its way. */
const RETRYABLE_CODES = new Set([
  ...['network', 'chunk_incomplete', 'upload_too_slow', 'chunk_hash_mismatch', 'rate_limited'],
]);
/** Whoever is told to come back later than that is told so by the error. */
const LONGEST_WAIT_MS = 30_000;

/** One JSON request and its answer; three attempts with growing pauses where trying again can help (S0-14). */
export class Transport {
  private readonly base: string;

  constructor(
    uploadUrl: string,
    private readonly fetch: typeof globalThis.fetch,
    private readonly getToken: () => Promise<string | null> | string | null = () => null,
  ) {
    this.base = uploadUrl.replace(/\/+$/, '');
  }

  /** The `data` of a `{success, data}` answer. Throws SluiceClientError. */
  async send<T>(request: TransportRequest): Promise<T> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await this.once<T>(request);
      } catch (error) {
        if (request.signal?.aborted) throw aborted(error);
        if (attempt >= (request.attempts ?? ATTEMPTS) || !isRetryable(error)) throw error;
        const growing = FIRST_DELAY_MS * 3 ** (attempt - 1) * (0.75 + Math.random() / 2);
        await pause(Math.max(growing, toldToWait(error)), request.signal);
      }
    }
  }

  private async once<T>({ method, path, body, headers, signal }: TransportRequest): Promise<T> {
    let response: Response;
    let text: string;
    const token = await this.getToken();
    try {
      response = await this.fetch(`${this.base}${path}`, {
        method,
        headers: {
          accept: 'application/json',
          ...(token === null ? {} : { authorization: `Bearer ${token}` }),
          ...headers,
        },
        ...(body === undefined ? {} : { body }),
        ...(signal ? { signal } : {}),
      });
      text = await response.text();
    } catch (error) {
      throw new SluiceClientError(
        'network',
        'The upload service cannot be reached; check the connection and try again.',
        {
          cause: error,
        },
      );
    }
    const answer = parse(text);
    if (response.ok && answer?.success === true) return answer.data as T;
    throw toError(response.status, answer);
  }
}

interface Answer {
  success?: unknown;
  data?: unknown;
}

function parse(text: string): Answer | null {
  try {
    const answer: unknown = JSON.parse(text);
    return typeof answer === 'object' && answer !== null ? answer : null;
  } catch {
    return null;
  }
}

function toError(status: number, answer: Answer | null): SluiceClientError {
  const problem = answer as Partial<ProblemDetails> | null;
  if (typeof problem?.code === 'string') {
    return new SluiceClientError(problem.code, problem.detail ?? problem.code, {
      status,
      ...(problem.details === undefined ? {} : { details: problem.details }),
    });
  }
  return new SluiceClientError(
    'bad_answer',
    `The upload service answered with status ${status} and nothing we know.`,
    {
      status,
    },
  );
}

function isRetryable(error: unknown): boolean {
  return error instanceof SluiceClientError && (error.status >= 500 || RETRYABLE_CODES.has(error.code));
}

/** Of 429: `Retry-After`, which stands in the problem too, since a page may not read every header. */
function toldToWait(error: unknown): number {
  const seconds = error instanceof SluiceClientError ? Number(error.details?.retry_after ?? 0) : 0;
  return Math.min(LONGEST_WAIT_MS, (Number.isFinite(seconds) ? seconds : 0) * 1000);
}

/** Resolves after `ms`, or rejects at once when the signal is aborted. */
function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(aborted(signal?.reason));
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
