import { type ArgumentsHost, Catch, type ExceptionFilter, HttpException } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { type ErrorCode, type ProblemDetails, SluiceError } from '#contracts';
import type { Logger } from '#observability';

/** Every error leaves as RFC 9457 problem details with a stable code; what we did not foresee says nothing of the inside. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  constructor(private readonly logger: Logger) {}

  catch(exception: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    const request = http.getRequest<FastifyRequest>();
    const reply = http.getResponse<FastifyReply>();
    const error = toSluiceError(exception);
    if (error.status >= 500) {
      this.logger.error(
        { err: exception, request_id: request.id, url: request.routeOptions.url },
        error.message,
      );
    }
    if (reply.raw.headersSent || reply.raw.destroyed) {
      reply.raw.destroy();
      return;
    }
    sendProblem(request, reply, error);
  }
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, thrown: SluiceError): void {
  const error = thrown.code === 'body_too_large' ? bodyTooLarge(request, thrown) : thrown;
  // A body that we did not read to its end would be taken for the next request.
  if (hasBody(request) && !request.raw.readableEnded) reply.header('connection', 'close');
  const retryAfter = error.status === 503 ? 2 : error.details?.retry_after;
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  void reply
    .code(error.status)
    .type('application/problem+json')
    .send(JSON.stringify(toProblem(error, String(request.id))));
}

/** With the number, which whoever sends the next one needs to know. */
function bodyTooLarge({ routeOptions }: FastifyRequest, cause: SluiceError): SluiceError {
  const maximum = routeOptions.bodyLimit;
  const message = `The request body may have at most ${maximum} bytes at this address; send less at once.`;
  return new SluiceError('body_too_large', message, { cause, details: { maximum } });
}

/** RFC 9112, 6.3: without one of these headers a request has no body, and its connection may be used again. */
const hasBody = ({ headers }: FastifyRequest): boolean =>
  headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;

export function toProblem(error: SluiceError, requestId: string): ProblemDetails {
  return {
    success: false,
    type: `urn:sluice:error:${error.code}`,
    title: error.code.replaceAll('_', ' '),
    status: error.status,
    detail: error.message,
    code: error.code,
    request_id: requestId,
    ...(error.details === undefined ? {} : { details: error.details }),
  };
}

const BY_STATUS: Record<number, [ErrorCode, string]> = {
  404: ['route_not_found', 'There is nothing at this address; check the path and the method.'],
  405: ['method_not_allowed', 'This address does not take this method.'],
  413: ['body_too_large', 'The request body is larger than this address accepts.'],
  415: [
    'unsupported_media_type',
    'This content type is not accepted here; see the documentation of this address.',
  ],
  400: ['bad_request', 'The request could not be read; check its syntax.'],
};

export function toSluiceError(exception: unknown): SluiceError {
  if (exception instanceof SluiceError) return exception;
  const status =
    exception instanceof HttpException
      ? exception.getStatus()
      : ((exception as { statusCode?: number } | null)?.statusCode ?? 500);
  const known = BY_STATUS[status];
  if (known) return new SluiceError(known[0], known[1], { cause: exception });
  if (isUnavailable(exception)) {
    return new SluiceError(
      'unavailable',
      'A part that this needs is not reachable now; try again in a few seconds.',
      {
        cause: exception,
      },
    );
  }
  return new SluiceError(
    'internal',
    'Something went wrong on our side; the log has the details under this request id.',
    {
      cause: exception,
    },
  );
}

/** Postgres or Redis away, restarting or out of connections. */
function isUnavailable(exception: unknown): boolean {
  const error = exception as { code?: unknown; message?: unknown; name?: unknown } | null;
  const code = String(error?.code ?? '');
  return (
    /^(ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|57P0[123]|53300|08\d{3})$/.test(code) ||
    /Connection terminated|timeout exceeded when trying to connect|MaxRetriesPerRequest/.test(
      `${error?.name} ${String(error?.message ?? '')}`,
    )
  );
}
