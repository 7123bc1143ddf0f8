import type { FastifyReply } from 'fastify';
import type { Bundle } from '../facts/bundle.js';
import type { Member } from '../facts/subscription.js';

/** Bytes that may wait for one slow client; what comes beyond is read from rows when it has taken them. */
const BYTES_AT_MOST = 256 * 1024;
/** A client that takes nothing for this long is dead, whatever TCP says. */
const PATIENCE_MS = 60_000;
/** Milliseconds after which a client whose stream was cut comes back; apart, when a whole gateway went. */
const RETRY_MS = { from: 500, spread: 1500 };

/** What a stream of server-sent events makes of facts: text to write, and whether that was all. */
export interface Rendering {
  (bundle: Bundle): { text: string; isEnd: boolean };
  /** Last words when the job is removed. */
  removed?(): string;
}

/** One response of `text/event-stream`. */
export class EventStream implements Member {
  private readonly response: FastifyReply['raw'];
  private closed = false;
  private stuckSince: number | null = null;

  constructor(
    reply: FastifyReply,
    private readonly render: Rendering,
    private readonly onClose: (stream: EventStream) => void,
  ) {
    reply.hijack();
    this.response = reply.raw;
    if (this.response.destroyed) this.ended();
    this.response.on('close', () => this.ended());
    this.response.on('error', () => this.ended());
    this.response.on('drain', () => {
      this.stuckSince = null;
    });
    reply.header('content-type', 'text/event-stream; charset=utf-8');
    reply.header('cache-control', 'no-store, no-transform');
    // A proxy that collects an answer before it passes it on would keep it for ever.
    reply.header('x-accel-buffering', 'no');
    this.response.writeHead(200, reply.getHeaders() as Record<string, string>);
    this.response.socket?.setNoDelay(true);
    if (reply.request.method === 'HEAD') this.end();
    this.write(`retry: ${RETRY_MS.from + Math.floor(Math.random() * RETRY_MS.spread)}\n\n`);
  }

  get open(): boolean {
    return !this.closed;
  }

  get congested(): boolean {
    return this.open && this.response.writableLength > BYTES_AT_MOST;
  }

  send(bundle: Bundle): void {
    const { text, isEnd } = this.render(bundle);
    if (text !== '') this.write(text);
    if (isEnd) this.end();
  }

  event(name: string, data: unknown, id?: string): void {
    this.write(serverSentEvent(name, data, id));
  }

  drained(): Promise<void> {
    if (!this.congested) return Promise.resolve();
    return new Promise((resolve) => {
      const settle = () => {
        this.response.off('drain', settle).off('close', settle);
        resolve();
      };
      this.response.once('drain', settle).once('close', settle);
    });
  }

  /** A client that comes back is told that there is no such job. */
  jobRemoved(): void {
    const text = this.render.removed?.();
    if (text !== undefined) this.write(text);
    this.end();
  }

  /** A comment: proxies keep the connection, and we learn that the client is gone. */
  beat(): void {
    if (this.stuckSince !== null && Date.now() - this.stuckSince > PATIENCE_MS) this.response.destroy();
    else if (!this.congested) this.write(': heartbeat\n\n');
  }

  end(): void {
    if (this.closed) return;
    this.response.end();
    this.ended();
  }

  private write(text: string): void {
    if (this.closed) return;
    if (!this.response.write(text)) this.stuckSince ??= Date.now();
  }

  private ended(): void {
    if (this.closed) return;
    this.closed = true;
    this.onClose(this);
  }
}

export const serverSentEvent = (name: string, data: unknown, id?: string): string =>
  `event: ${name}\n${id === undefined ? '' : `id: ${id}\n`}data: ${JSON.stringify(data)}\n\n`;
