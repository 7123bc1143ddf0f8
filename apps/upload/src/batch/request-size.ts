import type { FastifyInstance } from 'fastify';
import { MAX_FILES_PER_REQUEST } from '#contracts';

/** A name of 255 characters, hash, type and user take 1.5 KiB; the rest is for `options`. */
const BYTES_PER_FILE = 2048;
const LARGEST_REQUEST = MAX_FILES_PER_REQUEST * BYTES_PER_FILE;

/** Before the routes are there. Only a batch has more to say than the few KiB that every other address takes. */
export function allowLargeBatches(fastify: FastifyInstance): void {
  fastify.addHook('onRoute', (route) => {
    if (route.method === 'POST' && route.url === '/v1/upload/batch') route.bodyLimit = LARGEST_REQUEST;
  });
}
