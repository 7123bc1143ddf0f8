import type { IncomingMessage } from 'node:http';
import type { INestApplicationContext } from '@nestjs/common';
import { IoAdapter } from '@nestjs/platform-socket.io';
import { checkAccess, type ServiceContext } from '#http';

type Options = NonNullable<Parameters<IoAdapter['createIOServer']>[1]>;

/** Clients only send an id; more than this is not ours. */
const MESSAGE_BYTES = 4096;

/** Socket.IO on the service's own HTTP server, behind the same Host and Origin checks. */
export class SocketAdapter extends IoAdapter {
  constructor(
    app: INestApplicationContext,
    private readonly context: ServiceContext,
  ) {
    super(app);
  }

  override createIOServer(port: number, options?: Options) {
    const { environment, access } = this.context;
    const interval = environment.WEBSOCKET_HEARTBEAT_INTERVAL * 1000;
    return super.createIOServer(port, {
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
        try {
          checkAccess(request.headers, access);
          decide(null, true);
        } catch {
          decide(null, false);
        }
      },
    } as Options);
  }
}
