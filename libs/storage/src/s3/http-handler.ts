import { type ClientRequest, type IncomingMessage, Agent as PlainAgent, request as plain } from 'node:http';
import { Agent as SecureAgent, request as secure } from 'node:https';
import { Readable } from 'node:stream';
import type { S3ClientConfig } from '@aws-sdk/client-s3';
import type { Breaker } from './breaker.js';
import { isTrouble } from './errors.js';

type Handler = Extract<NonNullable<S3ClientConfig['requestHandler']>, { handle: unknown }>;
type Outgoing = Parameters<Handler['handle']>[0];

const CONNECT_MS = 5000;
/** From the last byte that was sent to the first of the answer (S0-14). */
const ANSWER_MS = 60_000;
/** Nothing moves in either direction; longer than a client of ours may be silent (60 s) in a body. */
const IDLE_MS = 120_000;
/** Stores that do not know `Expect` answer nothing and wait for the body. */
const CONTINUE_MS = 1000;
/** Below what servers keep an idle connection for, so that we seldom meet one that they are closing. */
const FREE_SOCKET_MS = 4000;

/**
 * The SDK's way to the network. Its own handler sends a body at once over a kept connection, or opens
 * one for each request that asks first. This one keeps connections and asks first (`Expect:
 * 100-continue`) for every stream: a store that says 503 has not taken a byte of a body that we could
 * not send again.
 */
export class HttpHandler {
  readonly metadata = { handlerProtocol: 'http/1.1' };
  private readonly agents: { 'http:': PlainAgent; 'https:': SecureAgent };

  constructor(
    maxSockets: number,
    private readonly breaker: Breaker,
  ) {
    const options = { keepAlive: true, maxSockets, timeout: FREE_SOCKET_MS };
    this.agents = { 'http:': new PlainAgent(options), 'https:': new SecureAgent(options) };
  }

  destroy(): void {
    for (const agent of Object.values(this.agents)) agent.destroy();
  }

  updateHttpClientConfig(): void {
    // The SDK may hand on options of its own handler; there are none here.
  }

  httpHandlerConfigs(): Record<string, never> {
    return {};
  }

  handle(outgoing: Outgoing, { abortSignal }: { abortSignal?: unknown } = {}): ReturnType<Handler['handle']> {
    return new Promise((resolve, reject) => {
      this.breaker.enter();
      const request = this.open(outgoing);
      const signal = abortSignal as AbortSignal | undefined;
      const abort = () => request.destroy(signal?.reason instanceof Error ? signal.reason : aborted());
      if (signal?.aborted) abort();
      signal?.addEventListener('abort', abort, { once: true });
      request.once('close', () => signal?.removeEventListener('abort', abort));
      const failed = (error: Error) => {
        if (isOfTheStore(outgoing.body, signal)) this.breaker.failed(error.message);
        reject(error);
      };
      request.once('error', failed);
      request.once('response', (answer) => {
        const { body } = outgoing;
        request.off('error', failed).on('error', () => undefined);
        this.tell(answer.statusCode ?? 0);
        if (!request.writableFinished) {
          // Refused half way: the connection has promised bytes that will not come.
          if (body instanceof Readable) body.unpipe(request);
          answer.once('close', () => request.destroy());
        }
        resolve({ response: answerOf(answer) } as Awaited<ReturnType<Handler['handle']>>);
      });
      limitTimes(request);
      send(request, outgoing.body);
    });
  }

  /** What we asked wrongly was answered. */
  private tell(status: number): void {
    if (isTrouble(status)) this.breaker.failed(`status ${status}`);
    else this.breaker.answered();
  }

  private open(outgoing: Outgoing): ClientRequest {
    const isSecure = outgoing.protocol === 'https:';
    return (isSecure ? secure : plain)({
      agent: this.agents[isSecure ? 'https:' : 'http:'],
      method: outgoing.method,
      host: outgoing.hostname.replace(/^\[(.*)\]$/, '$1'),
      port: outgoing.port,
      path: outgoing.path + queryOf(outgoing.query),
      headers:
        outgoing.body instanceof Readable
          ? { ...outgoing.headers, expect: '100-continue' }
          : outgoing.headers,
      timeout: IDLE_MS,
    });
  }
}

/** Not where the caller gave up or had no more of the body; a question that took too long is the store's. */
function isOfTheStore(body: unknown, signal: AbortSignal | undefined): boolean {
  if (body instanceof Readable) return !signal?.aborted && !body.errored;
  return !signal?.aborted || (signal.reason as Error | undefined)?.name === 'TimeoutError';
}

function send(request: ClientRequest, body: unknown): void {
  if (!(body instanceof Readable)) {
    request.end(body as Buffer | undefined);
    return;
  }
  const go = () => {
    stop();
    body.pipe(request);
  };
  const timer = setTimeout(go, CONTINUE_MS);
  const stop = () => {
    clearTimeout(timer);
    request.off('continue', go).off('response', stop).off('close', stop);
  };
  request.once('continue', go).once('response', stop).once('close', stop);
  body.once('error', (error) => request.destroy(error));
}

function limitTimes(request: ClientRequest): void {
  const fail = (what: string) => request.destroy(new StoreTimeout(what));
  request.once('timeout', () => fail('nothing moved'));
  let timer: NodeJS.Timeout | undefined;
  const restart = (ms: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => fail(what), ms);
  };
  const stop = () => clearTimeout(timer);
  request.once('socket', (socket) => {
    if (!socket.connecting) return;
    restart(CONNECT_MS, 'no connection');
    socket.once('connect', () => {
      if (!request.writableFinished) stop();
    });
  });
  request.once('finish', () => restart(ANSWER_MS, 'no answer'));
  request.once('response', stop).once('close', stop);
}

class StoreTimeout extends Error {
  override readonly name = 'TimeoutError';
}

const aborted = () => Object.assign(new Error('The request was aborted.'), { name: 'AbortError' });

function answerOf(answer: IncomingMessage) {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(answer.headers)) {
    if (value !== undefined) headers[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return { statusCode: answer.statusCode ?? 0, reason: answer.statusMessage, headers, body: answer };
}

function queryOf(query: Outgoing['query']): string {
  const parts = Object.entries(query ?? {}).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value ?? '']).map((one) => `${escaped(key)}=${escaped(one)}`),
  );
  return parts.length > 0 ? `?${parts.join('&')}` : '';
}

/** As the signature counts them: encodeURIComponent leaves five characters that RFC 3986 reserves. */
const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
