import { createServer, type Server, type Socket } from 'node:net';

/** What a scan is answered with; `silence` is none at all, `close` hangs up. */
export type Mood = { answer: string } | 'silence' | 'close';

export const CLEAN: Mood = { answer: 'stream: OK' };
export const EICAR: Mood = { answer: 'stream: Eicar-Test-Signature FOUND' };

/** clamd's side of INSTREAM (clamd(8)), as much of it as there is. */
export class ClamdStandIn {
  mood: Mood = CLEAN;
  /** What it was sent, one entry for each conversation that came to its end. */
  readonly received: Buffer[] = [];
  /** Conversations that have begun. */
  conversations = 0;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private readonly held: Socket[] = [];

  constructor(private readonly options: { port?: number; reads?: boolean } = {}) {
    this.server = createServer((socket) => this.converse(socket));
  }

  get port(): number {
    return (this.server.address() as { port: number }).port;
  }

  async start(): Promise<this> {
    await new Promise<void>((resolve) =>
      this.server.listen(this.options.port ?? 0, '127.0.0.1', () => resolve()),
    );
    return this;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => this.server.close(() => resolve()));
  }

  /** Answers those that were met with silence. */
  release(mood: Mood): void {
    this.mood = mood;
    for (const socket of this.held.splice(0)) this.answer(socket);
  }

  private converse(socket: Socket): void {
    this.conversations += 1;
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket)).on('error', () => undefined);
    if (this.options.reads === false) return void socket.pause();
    let bytes = Buffer.alloc(0);
    socket.on('data', (part: Buffer) => {
      bytes = Buffer.concat([bytes, part]);
      const body = bodyOf(bytes);
      if (!body) return;
      this.received.push(body);
      this.answer(socket);
    });
  }

  private answer(socket: Socket): void {
    if (this.mood === 'silence') this.held.push(socket);
    else if (this.mood === 'close') socket.destroy();
    else socket.end(`${this.mood.answer}\0`);
  }
}

/** Null while the length of 0 has not come. */
function bodyOf(bytes: Buffer): Buffer | null {
  const command = 'zINSTREAM\0';
  if (bytes.toString('latin1', 0, command.length) !== command) return null;
  const parts: Buffer[] = [];
  for (let at = command.length; at + 4 <= bytes.length; ) {
    const length = bytes.readUInt32BE(at);
    if (length === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return null;
}
