import { isIP } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { SluiceError } from '#contracts';
import { exposeMetrics } from '#observability';
import { hostName } from './guards.js';
import { sendProblem } from './problem.filter.js';

export const METRICS_PATH = '/metrics';

/**
 * `GET /metrics` for a scraper, which calls a process by its address. Whoever names a host comes
 * through a door that people use, and finds nothing: an ingress passes the name on, and so does a
 * page that lets its own name point to us.
 */
export function installMetrics(fastify: FastifyInstance): void {
  fastify.get(METRICS_PATH, async (request: FastifyRequest, reply: FastifyReply) => {
    if (!namesAnAddress(request.headers.host ?? '')) {
      sendProblem(
        request,
        reply,
        new SluiceError('route_not_found', 'Metrics are told to those who call this process by its address.'),
      );
      return reply;
    }
    const { contentType, text } = await exposeMetrics();
    return reply.type(contentType).send(text);
  });
}

function namesAnAddress(host: string): boolean {
  const name = hostName(host);
  return name === 'localhost' || isIP(name.replace(/^\[|\]$/g, '')) !== 0;
}
