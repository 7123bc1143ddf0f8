import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** One `unix:` socket for each output of an ffmpeg run, in a private directory that goes with the run. */
export class EncoderSockets {
  private readonly servers: Server[] = [];

  private constructor(private readonly dir: string) {}

  static async create(): Promise<EncoderSockets> {
    // Short: a socket's path may have about 100 characters.
    return new EncoderSockets(await mkdtemp(join(tmpdir(), 'sluice-')));
  }

  /** `target` is what ffmpeg writes to; `read` gets the one connection that it makes. */
  async listen(read: (socket: Socket) => Promise<void>): Promise<{ target: string; done: Promise<void> }> {
    const path = join(this.dir, `${this.servers.length}.sock`);
    const server = createServer({ pauseOnConnect: false });
    this.servers.push(server);
    const done = new Promise<void>((resolve, reject) => {
      server.once('connection', (socket) => {
        server.close();
        read(socket).then(resolve, (error: unknown) => {
          // Whoever writes sees the pipe break and ends.
          socket.destroy();
          reject(error);
        });
      });
    });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(path, resolve);
    });
    return { target: `unix:${path}`, done };
  }

  async close(): Promise<void> {
    for (const server of this.servers) server.close();
    await rm(this.dir, { recursive: true, force: true });
  }
}
