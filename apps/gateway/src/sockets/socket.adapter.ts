import type { IncomingMessage } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import type { Server } from 'socket.io';
import { type Authenticate, addressOf, checkAccess, type ServiceContext } from '#http';
import { admitOnly } from './socket-access.js';

type Options = NonNullable<Parameters<IoAdapter['createIOServer']>[1]>;

/** Clients only send an id; more than this is not ours. */
const MESSAGE_BYTES = 4096;

/** Socket.IO on the service's own HTTP server, behind the same Host and Origin checks. */
export class SocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly context: ServiceContext,
    private readonly authenticate: Authenticate,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: Options) {
    const { environment, access, limits } = this.context;
    const ipOf = addressOf(environment);
    const interval = environment.WEBSOCKET_HEARTBEAT_INTERVAL * 1000;
    const server = super.createIOServer(port, {
      ...options,
      serveClient: false,
      maxHttpBufferSize: MESSAGE_BYTES,
      pingInterval: interval,
      pingTimeout: Math.min(interval, 20_000),
      cors: { origin: [...access.origins] },
      allowRequest: (
        request: IncomingMessage,
        decide: (refusal: string | null | undefined, allowed: boolean) => void,
      ) => {
        const check = async () => {
          checkAccess(request.headers, access);
          await limits?.ofAddress({ ip: ipOf(request), kind: 'ordinary' });
        };
        check().then(
          () => decide(null, true),
          () => decide(null, false),
        );
      },
    } as Options);
    // The adapter has a release of its own, which differs in private fields only.
    admitOnly(server as unknown as Server, this.authenticate);
    return server;
  }
}
