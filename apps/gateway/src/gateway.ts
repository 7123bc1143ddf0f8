import { Authenticator } from '#access';
import type { Environment } from '#config';
import { startService } from '#http';
import { ADMIN_PREFIX } from './admin/guard.js';
import { installAdmin } from './admin/install.js';
import { FactTail } from './facts/fact-tail.js';
import { GatewayModule } from './gateway.module.js';
import { tellQueueLengths } from './metrics/queue-lengths.js';
import { tellRowFigures } from './metrics/row-figures.js';
import { openResources, type Resources } from './resources.js';
import { SocketAdapter } from './sockets/socket.adapter.js';
import { RESOURCES } from './tokens.js';
import { WebhookQueue } from './webhooks/webhook-queue.js';

/** The page, which asks the person who opens it for a token, and media, whose addresses may be signed. */
const PUBLIC_ROUTES = [
  '/',
  '/*',
  '/config.json',
  '/watch/:jobId',
  '/media/:assetId/*',
  '/media/signed/:ticket/:assetId/*',
].flatMap((path) => [`GET ${path}`, `HEAD ${path}`]);
/** Where players fetch from. */
const MEDIA_ROUTE = '/media/';

/** Starts the gateway: live facts, job views, media of a single machine, the page and the operator's board. */
export async function startGateway(environment: Environment) {
  const resources = await openResources(environment);
  const authenticator = new Authenticator(environment);
  authenticator.use(resources.database);
  const { authenticate } = authenticator;
  return startService({
    name: 'gateway',
    port: environment.GATEWAY_PORT,
    environment,
    authenticate,
    publicRoutes: PUBLIC_ROUTES,
    ownDoors: [ADMIN_PREFIX],
    module: (context) => GatewayModule.with(context, resources, authenticate),
    limits: (_method, path) => (path.startsWith(MEDIA_ROUTE) ? 'free' : 'ordinary'),
    configure: async (app, context) => {
      app.useWebSocketAdapter(new SocketAdapter(app, context, authenticate));
      await installAdmin(app, context, resources);
      tellQueueLengths(resources.queues);
      tellRowFigures(resources.database);
    },
    live: (app) => app.get(WebhookQueue).assertAlive(),
    health: async (app) => {
      const { database, redis } = app.get<Resources>(RESOURCES);
      await Promise.all([database.query('SELECT 1'), redis.ping()]);
      app.get(FactTail).assertReading();
    },
  });
}
