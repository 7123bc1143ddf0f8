import type { Environment } from '#config';
import { startService } from '#http';
import { installBoard } from './admin/board.js';
import { FactTail } from './facts/fact-tail.js';
import { GatewayModule } from './gateway.module.js';
import { tellQueueLengths } from './metrics/queue-lengths.js';
import { openResources, type Resources } from './resources.js';
import { SocketAdapter } from './sockets/socket.adapter.js';
import { RESOURCES } from './tokens.js';

/** Starts the gateway: live facts, job views, media of a single machine, the page and the operator's board. */
export async function startGateway(environment: Environment) {
  const resources = await openResources(environment);
  return startService({
    name: 'gateway',
    port: environment.GATEWAY_PORT,
    environment,
    module: (context) => GatewayModule.with(context, resources),
    configure: async (app, context) => {
      app.useWebSocketAdapter(new SocketAdapter(app, context));
      await installBoard(app, context, resources.queues);
      tellQueueLengths(resources.queues);
    },
    health: async (app) => {
      const { database, redis } = app.get<Resources>(RESOURCES);
      await Promise.all([database.query('SELECT 1'), redis.ping()]);
      app.get(FactTail).assertReading();
    },
  });
}
