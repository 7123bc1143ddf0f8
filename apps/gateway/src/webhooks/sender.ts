import http from 'node:http';
import https from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { AddressGuard } from './address-guard.js';
import type { Resolve } from './resolver.js';
import { RefusedTarget, resolveTarget, type Target } from './target.js';

export interface Outcome {
  delivered: boolean;
  /** HTTP status; null: there was no answer. */
  status: number | null;
  /** Why not, in a sentence. Says nothing of what the receiver has answered. */
  error: string | null;
  retryAfterSeconds: number | null;
}

/** Of an answer's headers, and of its body; more is not read. */
const ANSWER_BYTES = 16 * 1024;

export interface SenderOptions {
  resolve: Resolve;
  guard: AddressGuard;
  timeoutMs: number;
}

/** Posts messages to addresses that strangers named. An answer counts by its status alone. */
export class Sender {
  constructor(private readonly options: SenderOptions) {}

  /** Throws only when the signal is aborted: nobody knows then whether the message has arrived. */
  async post(
    url: string,
    headers: Record<string, string>,
    body: string,
    signal: AbortSignal,
  ): Promise<Outcome> {
    const { timeoutMs, resolve, guard } = this.options;
    const patience = AbortSignal.timeout(timeoutMs);
    const either = AbortSignal.any([signal, patience]);
    try {
      const target = await resolveTarget(url, { resolve, guard, signal: either });
      return judge(await request(target, headers, body, either));
    } catch (error) {
      signal.throwIfAborted();
      const why = patience.aborted ? `There was no answer within ${timeoutMs / 1000} s.` : reason(error);
      return { delivered: false, status: null, error: why, retryAfterSeconds: null };
    }
  }
}

/** A connection of its own to one of the addresses; resolves with the answer's head, once its body is done with. */
function request(
  { url, addresses }: Target,
  headers: Record<string, string>,
  body: string,
  signal: AbortSignal,
): Promise<http.IncomingMessage> {
  const checked: LookupFunction = (_name, options, found) => {
    const all = addresses.map((address) => ({ address, family: isIP(address) }));
    if (options.all) found(null, all);
    else found(null, all[0]?.address ?? '', all[0]?.family);
  };
  return new Promise((resolve, reject) => {
    const sent = (url.protocol === 'https:' ? https : http).request(url, {
      method: 'POST',
      headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      agent: false,
      lookup: checked,
      maxHeaderSize: ANSWER_BYTES,
      signal,
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      // The status has been said: however the body ends, nothing changes.
      const done = () => {
        resolve(response);
        sent.destroy();
      };
      sent.off('error', reject).on('error', done);
      response.on('end', done).on('error', done).on('close', done);
      let bytes = 0;
      response.on('data', (data: Buffer) => {
        bytes += data.length;
        if (bytes > ANSWER_BYTES) done();
      });
    });
    sent.end(body);
  });
}

function judge({ statusCode = 0, headers }: http.IncomingMessage): Outcome {
  const delivered = statusCode >= 200 && statusCode < 300;
  const redirected = statusCode >= 300 && statusCode < 400;
  const error = redirected
    ? `It answered with status ${statusCode}; redirects are not followed, register the address that it leads to.`
    : `It answered with status ${statusCode}, not with one of 200 to 299.`;
  const seconds = Number(headers['retry-after']);
  return {
    delivered,
    status: statusCode,
    error: delivered ? null : error,
    retryAfterSeconds: !delivered && seconds > 0 ? seconds : null,
  };
}

function reason(error: unknown): string {
  if (error instanceof RefusedTarget) return error.message;
  // Several addresses that all failed come as one error with the others in it.
  const first = error instanceof AggregateError ? error.errors[0] : error;
  const code = String((first as { code?: unknown } | null)?.code ?? 'unknown');
  return `It could not be reached, or its answer could not be read (${code}).`;
}
