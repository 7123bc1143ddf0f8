import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { SCRATCH_TS_QUERY } from '#contracts';
import { verifySigned } from '#http';

export interface Release {
  path: string;
  refused: string | null;
}

/** The scratch of a transcode worker as segment-upload sees it: signed GET and DELETE of paths. */
export class StandInWorker {
  /** By path; those of MPEG-TS with the query that asks for them. */
  readonly files = new Map<string, Buffer>();
  readonly releases: Release[] = [];
  /** Paths of GET requests, answered or not. */
  readonly asked: string[] = [];
  /** As long as it is above zero, requests are answered with status 503. */
  failures = 0;

  private constructor(
    private readonly server: Server,
    readonly address: string,
  ) {}

  static async start(secret: string): Promise<StandInWorker> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const worker = new StandInWorker(server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    server.on('request', (request, response) => {
      const url = new URL(request.url ?? '/', worker.address);
      try {
        verifySigned(secret, request.method ?? '', request.url ?? '', request.headers);
      } catch {
        response.writeHead(403).end();
        return;
      }
      response.writeHead(worker.answer(request.method ?? '', url)).end(worker.files.get(placeOf(url)));
      if (request.method !== 'DELETE') return;
      worker.files.delete(url.pathname);
      worker.releases.push({ path: url.pathname, refused: url.searchParams.get('refused') });
    });
    return worker;
  }

  private answer(method: string, url: URL): number {
    if (method === 'GET') this.asked.push(url.pathname);
    if (this.failures > 0) {
      this.failures -= 1;
      return 503;
    }
    return this.files.has(placeOf(url)) ? 200 : 404;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

const placeOf = ({ pathname, search }: URL) => pathname + (search === SCRATCH_TS_QUERY ? search : '');
