import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#contracts';
import { beginSpan, count, type Ids, type Logger, type OpenSpan, observe, withIds } from '#observability';
import { METRICS_PATH } from './metrics.js';
import { principalIfKnown } from './principal.js';
import { sendProblem } from './problem.filter.js';

/** Asked every few seconds by machines: neither news nor a figure. */
const PROBES = new Set(['/health', '/health/live', METRICS_PATH]);
/** Bodies that are read as they come, for as long as they come; their handlers have limits of their own. */
const STREAMED_BODY = /^(application\/(octet-stream|offset\+octet-stream)|multipart\/form-data)/i;

const streams = new WeakSet<object>();
const spans = new WeakMap<object, OpenSpan>();

/** Whoever has a ticket of media may play it (docs/contracts.md, Media): logs and traces are read by others. */
const TICKET = /^(\/media\/signed\/)[^/]+/;

const pathOf = ({ url }: FastifyRequest): string => (url.split('?')[0] ?? '').replace(TICKET, '$1…');

/**
 * One line and one count for each answer, and an end for ordinary requests (S1-10): one whose answer has not
 * begun `timeoutSeconds` after all of it could be here is answered with an error. What is streamed is never
 * cut: the time of a body that is read as it comes begins with its end, and an answer that has begun may
 * last, be it media or events.
 */
export function watchRequests(fastify: FastifyInstance, logger: Logger, timeoutSeconds: number): void {
  fastify.addHook('onRequest', (request: FastifyRequest, reply: FastifyReply, done) => {
    limitTime(request, reply, timeoutSeconds * 1000);
    const path = pathOf(request);
    const span = PROBES.has(path) ? null : beginRequest(request, path);
    if (span) spans.set(request.raw, span);
    const go = () => withIds({ request_id: String(request.id), ...idsOf(request) }, done);
    if (span) span.within(go);
    else go();
  });
  fastify.addHook('onSend', (request, _reply, payload, done) => {
    if (typeof (payload as { pipe?: unknown } | null)?.pipe === 'function') streams.add(request.raw);
    done(null, payload);
  });
  fastify.addHook('onResponse', (request: FastifyRequest, reply: FastifyReply, done) => {
    const path = pathOf(request);
    const isProbe = PROBES.has(path);
    if (!isProbe) countAnswer(request, reply);
    spans.get(request.raw)?.end({ 'http.response.status_code': reply.statusCode }, reply.statusCode >= 500);
    const principal = principalIfKnown(request);
    logger[isProbe ? 'debug' : 'info'](
      {
        request_id: request.id,
        ...idsOf(request),
        method: request.method,
        url: path,
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
        ip: request.ip,
        ...(principal ? { tenant_id: principal.tenantId } : {}),
        ...(principal?.keyId ? { key_id: principal.keyId } : {}),
      },
      'request',
    );
    done();
  });
}

/** The trace of another of our services goes on; what a stranger says of traces counts for nothing. */
function beginRequest({ method, routeOptions, headers }: FastifyRequest, path: string): OpenSpan | null {
  const route = routeOptions.url ?? '';
  return beginSpan(
    `${method} ${route}`,
    { 'http.request.method': method, 'http.route': route, 'url.path': path },
    {
      kind: 'server',
      parent: isInternal(path) ? TRACEPARENT.exec(String(headers.traceparent))?.[0] : undefined,
    },
  );
}

const isInternal = (path: string) => path.startsWith('/internal/');
const TRACEPARENT = /^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/;

function limitTime(request: FastifyRequest, reply: FastifyReply, milliseconds: number): void {
  let timer: NodeJS.Timeout | undefined;
  const begin = () => {
    timer = setTimeout(() => {
      if (reply.sent || reply.raw.headersSent) return;
      sendProblem(request, reply, request.raw.complete ? lateAnswer() : lateBody());
    }, milliseconds);
  };
  reply.raw.once('close', () => clearTimeout(timer));
  if (STREAMED_BODY.test(request.headers['content-type'] ?? '')) request.raw.once('end', begin);
  else begin();
}

const lateAnswer = () =>
  new SluiceError('unavailable', 'This took too long on our side; try again in a few seconds.');
const lateBody = () =>
  new SluiceError('request_timeout', 'The request did not come to its end in time; send it again.');

/** What a request is about, where its address says so. */
const ABOUT = /\/(jobs|watch|session|files|batch)\/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})(?![^/?])/;
const ID_OF: Record<string, string> = {
  ...{ jobs: 'job_id', watch: 'job_id', session: 'session_id', files: 'session_id', batch: 'batch_id' },
};

function idsOf({ url }: FastifyRequest): Ids {
  const [, kind = '', id] = ABOUT.exec(url) ?? [];
  return id === undefined ? {} : { [ID_OF[kind] ?? 'id']: id };
}

function countAnswer(request: FastifyRequest, reply: FastifyReply): void {
  const status = CLASSES[Math.floor(reply.statusCode / 100)];
  if (status) count('sluice_requests_total', { status });
  const isStream = streams.has(request.raw) || STREAMED_BODY.test(request.headers['content-type'] ?? '');
  const events = String(reply.getHeader('content-type') ?? '').startsWith('text/event-stream');
  if (!isStream && !events) observe('sluice_request_seconds', reply.elapsedTime / 1000);
}

const CLASSES = [undefined, undefined, '2xx', '3xx', '4xx', '5xx'] as const;
