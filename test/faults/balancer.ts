import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * Stands before the processes of a service as an ingress does: each request goes to one that is in the set, on a
 * connection of its own. One that is taken out gets nothing new; what it has begun it may finish.
 */
export class Balancer {
  private readonly inUse: Set<string>;
  private turn = 0;

  private constructor(
    private readonly server: Server,
    targets: readonly string[],
  ) {
    this.inUse = new Set(targets);
  }

  static async start(targets: readonly string[]): Promise<Balancer> {
    const server = createServer();
    const balancer = new Balancer(server, targets);
    server.on('request', (incoming: IncomingMessage, outgoing: ServerResponse) =>
      balancer.pass(incoming, outgoing),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return balancer;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  without(target: string): void {
    this.inUse.delete(target);
  }

  with(target: string): void {
    this.inUse.add(target);
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  private pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const targets = [...this.inUse];
    const target = new URL(targets[this.turn++ % targets.length] ?? '');
    const passed = request(
      {
        ...{ host: target.hostname, port: target.port, agent: false },
        ...{ method: incoming.method, path: incoming.url },
        headers: { ...incoming.headers, host: target.host },
      },
      (answer) => {
        outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.on('error', () => outgoing.destroy());
        answer.pipe(outgoing);
      },
    );
    passed.on('error', () => (outgoing.headersSent ? outgoing.destroy() : outgoing.writeHead(502).end()));
    outgoing.on('close', () => passed.destroy());
    incoming.pipe(passed);
  }
}
