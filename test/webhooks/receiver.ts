import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { Webhook } from 'standardwebhooks';
import { waitFor } from '#testing';

export interface Received {
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
  message: { type: string; timestamp: string; data: Record<string, unknown> };
}

export type Answer = (response: ServerResponse, received: Received, count: number) => void;

/** A real receiver on loopback that answers as it is told and remembers what it was sent. */
export class Receiver {
  readonly received: Received[] = [];
  answer: Answer = (response) => response.end();
  /** Requests that are not answered yet, and the most there were at once. */
  open = 0;
  mostOpen = 0;

  private constructor(
    private readonly server: Server,
    private port: number,
  ) {}

  static async listen(host = '127.0.0.1'): Promise<Receiver> {
    const server = createServer();
    server.listen(0, host);
    await once(server, 'listening');
    const receiver = new Receiver(server, (server.address() as AddressInfo).port);
    server.on('request', async (request, response) => {
      receiver.open += 1;
      receiver.mostOpen = Math.max(receiver.mostOpen, receiver.open);
      response.on('close', () => {
        receiver.open -= 1;
      });
      const body = await text(request).catch(() => '');
      const message = JSON.parse(body || 'null') as Received['message'];
      const received = { path: request.url ?? '', headers: request.headers, body, message };
      receiver.received.push(received);
      receiver.answer(response, received, receiver.received.length);
    });
    return receiver;
  }

  url(path = '/hook', host = '127.0.0.1'): string {
    return `http://${host}:${this.port}${path}`;
  }

  /** Nobody listens at its port until `up`. */
  async down(): Promise<void> {
    this.server.closeAllConnections();
    this.server.close();
    await once(this.server, 'close');
  }

  async up(): Promise<void> {
    this.server.listen(this.port, '127.0.0.1');
    await once(this.server, 'listening');
  }

  hears(count: number): Promise<unknown> {
    return waitFor(() => this.received.length >= count, {
      what: `${count} messages (there are ${this.received.length})`,
    });
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  (response) =>
    response.writeHead(code, headers).end();

/** What the library of the standard says: the message, or an error. */
export function verified({ body, headers }: Received, secret: string): unknown {
  return new Webhook(secret).verify(body, headers as Record<string, string>);
}
