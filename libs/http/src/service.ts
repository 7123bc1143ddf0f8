import 'reflect-metadata';
import { randomUUID } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { type Environment, isLoopback, listOf } from '#config';
import { type HealthData, type ServiceName, SluiceError } from '#contracts';
import { createLogger, type Logger, NestLogger, openMetrics, openTracing } from '#observability';
import { trustedProxies } from './client-address.js';
import { answerClientError, MAX_HEADER_BYTES } from './client-errors.js';
import { type AccessRules, checkAccess, isOriginAllowed } from './guards.js';
import { Limits, type RequestKind } from './limits.js';
import { installMetrics, METRICS_PATH } from './metrics.js';
import { type Authenticate, OPEN_PRINCIPAL, setPrincipal, unauthenticated } from './principal.js';
import { ProblemFilter, sendProblem, toSluiceError } from './problem.filter.js';
import { watchRequests } from './request-watch.js';

export interface ServiceDefinition {
  name: ServiceName;
  port: number;
  environment: Environment;
  /** Receives what every service has; answers with its root module. */
  module: (context: ServiceContext) => Type | DynamicModule;
  /** Before listening: plugins, adapters. */
  configure?: (app: NestFastifyApplication, context: ServiceContext) => void | Promise<void>;
  /** After listening; the address others reach this process at is known now. */
  started?: (app: NestFastifyApplication, context: ServiceContext, address: string) => void | Promise<void>;
  /** Headers that pages of allowed origins may send and read, beside those of every service; lower case. */
  cors?: { send: readonly string[]; read: readonly string[] };
  /** Who sends a request, asked before anything else is; without it nobody is asked (`OPEN_PRINCIPAL`). */
  authenticate?: Authenticate;
  /** `METHOD /pattern` of the routes that are for everybody, or say themselves whom they are for; all others need a principal. */
  publicRoutes?: readonly string[];
  /** Prefixes of addresses that ask by themselves who comes; what lies below them has no principal. */
  ownDoors?: readonly string[];
  /** What kind a request is for the rate limits; without it nobody is limited. `path` is without the query. */
  limits?: (method: string, path: string, headers: IncomingHttpHeaders) => RequestKind;
  /** Throws while the service can not do its work (Postgres, Redis or the store away). */
  health: (app: NestFastifyApplication) => Promise<void>;
  /** Throws when only another process can do the work; what is merely away is no reason. */
  live?: (app: NestFastifyApplication) => void;
}

export interface ServiceContext {
  name: ServiceName;
  environment: Environment;
  logger: Logger;
  access: AccessRules;
  /** How often one may ask; null where nobody is limited. */
  limits: Limits | null;
}

/** Prefix of addresses for our own services; they are signed (internal-auth.ts) and skip Host and Origin. */
const INTERNAL_PREFIX = '/internal/';

/** Headers that pages of allowed origins may send to every service. */
const SENT_BY_PAGES = ['authorization', 'x-api-key', 'content-type', 'x-content-sha256', 'range'];

/** Whether the service can do its work, whether the process answers at all, and its figures: probes know no host name. */
const PROBE_PATHS = new Set(['/health', '/health/live', METRICS_PATH]);

/**
 * Starts one of the four services: Fastify with Host and Origin checks, CORS, request ids, problem
 * details, `/health`, `/health/live` and `/metrics`, and a shutdown on SIGTERM and SIGINT that lets requests in flight finish.
 */
export async function startService(definition: ServiceDefinition): Promise<NestFastifyApplication> {
  const { name, environment } = definition;
  const logger = createLogger(name, environment.LOG_LEVEL);
  const access: AccessRules = {
    hosts: new Set(listOf(environment.ALLOWED_HOSTS)),
    origins: new Set(listOf(environment.ALLOWED_ORIGINS)),
    loopback: isLoopback(environment),
  };
  const limits = definition.limits ? new Limits(environment, name) : null;
  const context: ServiceContext = { name, environment, logger, access, limits };
  openMetrics(name);
  const endTracing = await openTracing(name, versionOf(environment), environment);
  const adapter = new FastifyAdapter({
    trustProxy: trustedProxies(environment),
    genReqId: () => randomUUID(),
    // What Fastify refuses before there is a route, such as an address that can not be decoded.
    frameworkErrors: (error: unknown, request: unknown, reply: unknown) =>
      sendProblem(request as FastifyRequest, reply as FastifyReply, toSluiceError(error)),
    clientErrorHandler: answerClientError,
    http: { maxHeaderSize: MAX_HEADER_BYTES },
    bodyLimit: 64 * 1024,
    forceCloseConnections: 'idle',
    // Who asks on a connection that is open while we stop gets an answer, and is told to close it.
    return503OnClosing: false,
    // A slow client is not an attack: its body may take as long as it flows (each handler has its own limits).
    requestTimeout: 0,
  });
  const fastify = adapter.getInstance() as unknown as FastifyInstance;
  // Raw bodies are streams for the handler that wants them; nothing is read on its behalf.
  for (const type of ['application/octet-stream', 'multipart/form-data']) {
    fastify.addContentTypeParser(
      type,
      (_request: FastifyRequest, payload: unknown, done: (e: null, b: unknown) => void) =>
        done(null, payload),
    );
  }
  const routes = listRoutes(fastify);
  watchRequests(fastify, logger, environment.REQUEST_TIMEOUT_SECONDS);
  installAccessChecks(fastify, context, definition);
  const app = await NestFactory.create<NestFastifyApplication>(
    toModule(definition.module(context)),
    adapter,
    {
      logger: new NestLogger(logger),
      abortOnError: false,
    },
  );
  app.useGlobalFilters(new ProblemFilter(logger));
  installHealth(fastify, app, definition, environment);
  installMetrics(fastify);
  await definition.configure?.(app, context);
  app.enableShutdownHooks([]);
  await app.listen(definition.port, environment.BIND_ADDRESS);
  const { port } = app.getHttpServer().address() as AddressInfo;
  closeOnSignals(app, logger, environment.SHUTDOWN_GRACE_SECONDS, endTracing);
  await definition.started?.(app, context, `http://${environment.ADVERTISED_HOST}:${port}`);
  logger.debug({ routes }, 'routes');
  logger.info({ port }, `${name} is ready`);
  return app;
}

const pathOf = ({ url }: FastifyRequest): string => url.split('?')[0] ?? url;

/** Filled as they are made: `METHOD /pattern`. */
function listRoutes(fastify: FastifyInstance): string[] {
  const routes: string[] = [];
  fastify.addHook('onRoute', ({ method, url }) => {
    routes.push(...[method].flat().map((one) => `${one} ${url}`));
  });
  return routes;
}

const toModule = (module: Type | DynamicModule) => module as Type;

function installAccessChecks(
  fastify: FastifyInstance,
  { access, limits }: ServiceContext,
  definition: Pick<ServiceDefinition, 'cors' | 'authenticate' | 'publicRoutes' | 'ownDoors' | 'limits'>,
): void {
  const { cors, authenticate, publicRoutes, ownDoors = [], limits: kindOf } = definition;
  fastify.addHook('onClose', async () => limits?.close());
  const send = [...SENT_BY_PAGES, ...(cors?.send ?? [])].join(', ');
  const read = ['x-request-id', 'retry-after', ...(cors?.read ?? [])].join(', ');
  const isPublic = new Set(publicRoutes);
  fastify.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
    reply.header('x-request-id', request.id);
    reply.header('x-content-type-options', 'nosniff');
    if (request.url.startsWith(INTERNAL_PREFIX) || PROBE_PATHS.has(request.url)) return;
    try {
      checkAccess(request.headers, access);
    } catch (error) {
      sendProblem(request, reply, toSluiceError(error));
      return reply;
    }
    const origin = request.headers.origin;
    if (origin !== undefined && isOriginAllowed(origin, request.headers.host ?? '', access)) {
      reply.header('access-control-allow-origin', origin);
      reply.header('vary', 'Origin');
      reply.header('access-control-expose-headers', read);
      if (request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined) {
        reply.header('access-control-allow-methods', 'GET, HEAD, POST, PUT, PATCH, DELETE');
        reply.header('access-control-allow-headers', send);
        reply.header('access-control-max-age', '7200');
        return reply.code(204).send();
      }
    }
    try {
      const asked = {
        ip: request.ip,
        kind: kindOf?.(request.method, pathOf(request), request.headers) ?? 'free',
      };
      await limits?.ofAddress(asked);
      if (ownDoors.some((prefix) => request.url.startsWith(prefix))) return undefined;
      const principal = authenticate
        ? await authenticate(request).catch(async (error: unknown) => {
            await limits?.ofWrongOne(asked, error);
            throw error;
          })
        : OPEN_PRINCIPAL;
      if (principal) {
        await limits?.ofPrincipal(asked, principal);
        setPrincipal(request, principal);
      } else if (!isPublic.has(`${request.method} ${request.routeOptions.url}`)) throw unauthenticated();
    } catch (error) {
      sendProblem(request, reply, toSluiceError(error));
      return reply;
    }
    return undefined;
  });
}

const versionOf = ({ SERVICE_VERSION }: Environment): string => SERVICE_VERSION ?? '0.1.0';

function installHealth(
  fastify: FastifyInstance,
  app: NestFastifyApplication,
  definition: ServiceDefinition,
  environment: Environment,
): void {
  const body = (status: HealthData['status']): HealthData => ({
    status,
    service: definition.name,
    version: versionOf(environment),
  });
  fastify.get('/health', async (_request: FastifyRequest, reply: FastifyReply) => {
    try {
      await definition.health(app);
      return body('ok');
    } catch {
      return reply.code(503).send(body('degraded'));
    }
  });
  fastify.get('/health/live', async (_request: FastifyRequest, reply: FastifyReply) => {
    try {
      definition.live?.(app);
      return body('ok');
    } catch {
      return reply.code(503).send(body('degraded'));
    }
  });
}

function closeOnSignals(
  app: NestFastifyApplication,
  logger: Logger,
  graceSeconds: number,
  endTracing: () => Promise<void>,
): void {
  let closing = false;
  const close = (signal: string) => {
    if (closing) return;
    closing = true;
    logger.info({ signal }, 'stopping');
    const timer = setTimeout(
      () => {
        logger.warn('what was in flight did not end in time');
        process.exit(1);
      },
      (graceSeconds + 5) * 1000,
    );
    timer.unref();
    app
      .close()
      .then(endTracing)
      .then(() => process.exit(0))
      .catch((error: unknown) => {
        logger.error({ err: error }, 'stopping failed');
        process.exit(1);
      });
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => close(signal));
  process.on('unhandledRejection', (error) => logger.error({ err: error }, 'unhandled rejection'));
}

/** Runs a service's main and ends the process with one clear message when it cannot start. */
export function run(main: () => Promise<unknown>): void {
  // In a promise, so that what is thrown before the first await is told in the same way.
  Promise.resolve()
    .then(main)
    .catch((error: unknown) => {
      const known = error instanceof SluiceError || (error instanceof Error && error.name === 'ConfigError');
      process.stderr.write(
        `${known ? (error as Error).message : String((error as Error)?.stack ?? error)}\n`,
      );
      process.exit(1);
    });
}
