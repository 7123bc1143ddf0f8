import type { Server, Socket } from 'socket.io';
import { type Principal, SluiceError } from '#contracts';
import { type Authenticate, toSluiceError, unauthenticated } from '#http';

/** Between looks whether those who are connected still may be: a key is revoked, a token's time is over. */
const LOOK_AGAIN_MS = 5000;

interface SocketData {
  principal: Principal;
}

/**
 * Who connects says so as `auth.token`, or by the headers of the handshake; nobody comes in otherwise.
 * Whose credentials end while they are connected is put out.
 */
export function admitOnly(server: Server, authenticate: Authenticate): void {
  server.use((socket, next) => {
    identify(socket, authenticate).then(
      (principal) => {
        (socket.data as SocketData).principal = principal;
        next();
      },
      (error: unknown) => next(refusal(error)),
    );
  });
  const timer = setInterval(() => {
    for (const socket of server.sockets.sockets.values()) void putOutStrangers(socket, authenticate);
  }, LOOK_AGAIN_MS).unref();
  server.engine.once('close', () => clearInterval(timer));
}

export const principalOfSocket = (socket: Socket): Principal => (socket.data as SocketData).principal;

async function identify({ handshake }: Socket, authenticate: Authenticate): Promise<Principal> {
  const { token } = handshake.auth as { token?: unknown };
  const headers =
    typeof token === 'string'
      ? { ...handshake.headers, authorization: `Bearer ${token}` }
      : handshake.headers;
  const principal = await authenticate({ method: 'GET', headers, url: handshake.url });
  if (!principal) throw unauthenticated();
  return principal;
}

async function putOutStrangers(socket: Socket, authenticate: Authenticate): Promise<void> {
  try {
    await identify(socket, authenticate);
  } catch (error) {
    // While Postgres is away nobody can say; who is in stays.
    if (error instanceof SluiceError && error.status === 401) socket.disconnect(true);
  }
}

/** Socket.IO hands `data` to the client's `connect_error`. */
function refusal(error: unknown): Error {
  const { code, message } = toSluiceError(error);
  return Object.assign(new Error(message), { data: { code, message } });
}
