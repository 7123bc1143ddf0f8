import type { IncomingHttpHeaders } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#contracts';
import { sendProblem, toSluiceError } from '#http';
import type { Logger } from '#observability';
import { discard } from '../chunks/body.js';
import type { UploadSettings } from '../settings.js';
import type { TusDoor } from './door.js';
import { capabilities, METHODS, TUS_PATH, TUS_VERSION, type TusMethod } from './protocol.js';

export interface TusRoutes {
  door: TusDoor;
  settings: UploadSettings;
  logger: Logger;
}

/**
 * The tus door as a plugin of its own: bodies are raw whatever they call themselves, and every answer,
 * errors too, has the protocol's headers.
 */
export function installTus(fastify: FastifyInstance, { door, settings, logger }: TusRoutes): void {
  fastify.register(
    async (scope) => {
      scope.removeAllContentTypeParsers();
      scope.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
      scope.addHook('onRequest', async (_request, reply) => {
        reply.header('tus-resumable', TUS_VERSION);
      });
      scope.setErrorHandler((error, request, reply) => fail(error, request, reply, { settings, logger }));
      const handler = async (request: FastifyRequest, reply: FastifyReply) => {
        const { id } = request.params as { id?: string };
        const { status, headers } = await door.answer(methodOf(request), id ?? null, request);
        await discard(request.raw, 2 * settings.maxChunkSize);
        return reply.code(status).headers(headers).send();
      };
      scope.route({ method: [...METHODS], url: '/', handler });
      scope.route({ method: [...METHODS], url: '/:id', handler });
    },
    { prefix: TUS_PATH },
  );
}

/** Of a request to any address: below `/files` a header may say another method than the request's. */
export function spokenMethod(method: string, path: string, headers: IncomingHttpHeaders): string {
  const said = path.startsWith(`${TUS_PATH}/`) ? headers['x-http-method-override'] : undefined;
  return String(said ?? method).toUpperCase();
}

/** "If the X-HTTP-Method-Override header is present, the Server MUST interpret its value as the request's method." */
function methodOf(request: FastifyRequest): TusMethod {
  const given = request.headers['x-http-method-override'] ?? request.method;
  const method = METHODS.find((name) => name === String(given).toUpperCase());
  if (method) return method;
  throw new SluiceError('method_not_allowed', `This address takes ${METHODS.join(', ')}.`);
}

/** Requests that were asked to let go are answered at once: somebody waits for their connection to end. */
const AT_ONCE = new Set(['upload_taken_over', 'unavailable']);

async function fail(
  exception: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
  { settings, logger }: Omit<TusRoutes, 'door'>,
): Promise<FastifyReply> {
  const error = toSluiceError(exception);
  if (error.status >= 500) {
    logger.error({ err: exception, request_id: request.id, url: request.url.split('?')[0] }, error.message);
  }
  // A tus client goes on after a broken connection, and gives up after a refusal.
  if (error.code === 'upload_too_slow') request.raw.destroy();
  if (!AT_ONCE.has(error.code)) await discard(request.raw, 2 * settings.maxChunkSize);
  if (reply.raw.destroyed || reply.raw.headersSent) {
    reply.raw.destroy();
    return reply.hijack();
  }
  if (error.code === 'tus_version_unsupported') reply.headers(capabilities(settings.maxFileSize));
  sendProblem(request, reply, error);
  return reply;
}
