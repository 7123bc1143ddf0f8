import { type ClientRequest, get, type IncomingMessage } from 'node:http';
import { waitFor } from '#testing';

export interface ServerSentEvent {
  event: string;
  id: string | null;
  data: unknown;
}

/** One request for a stream of server-sent events, read as the standard has it, by nothing but a socket. */
export class SseReader {
  readonly events: ServerSentEvent[] = [];
  comments = 0;
  /** As a browser has it: of the last event that had one. */
  lastEventId: string | null;
  status = 0;
  headers: IncomingMessage['headers'] = {};
  ended = false;
  private rest = '';
  private readonly request: ClientRequest;

  constructor(
    url: string,
    options: {
      lastEventId?: string | null;
      headers?: Record<string, string>;
      onEvent?: (event: ServerSentEvent) => void;
    } = {},
  ) {
    this.lastEventId = options.lastEventId ?? null;
    const known = this.lastEventId === null ? {} : { 'last-event-id': this.lastEventId };
    const headers = { ...options.headers, ...known };
    this.request = get(url, { headers, agent: false }, (response) => {
      this.status = response.statusCode ?? 0;
      this.headers = response.headers;
      response.setEncoding('utf8');
      response.on('data', (text: string) => this.take(text, options.onEvent));
      response.on('close', () => {
        this.ended = true;
      });
    });
    this.request.on('error', () => {
      this.ended = true;
    });
  }

  of(name: string): ServerSentEvent[] {
    return this.events.filter(({ event }) => event === name);
  }

  hears(name: string, count = 1): Promise<ServerSentEvent[]> {
    return waitFor(() => this.of(name).length >= count && this.of(name), {
      what: `${count} × ${name}`,
      intervalMs: 5,
    });
  }

  /** As a cable that is pulled; nothing that arrives later counts. */
  cut(): void {
    this.ended = true;
    this.request.destroy();
  }

  private take(text: string, onEvent: ((event: ServerSentEvent) => void) | undefined): void {
    const blocks = (this.rest + text).split('\n\n');
    this.rest = blocks.pop() ?? '';
    for (const block of blocks) {
      if (this.ended) return;
      const fields = new Map(block.split('\n').map((line) => splitField(line)));
      if (fields.has('')) this.comments += 1;
      if (fields.has('id')) this.lastEventId = fields.get('id') ?? null;
      const data = fields.get('data');
      if (data === undefined) continue;
      const event = {
        event: fields.get('event') ?? 'message',
        id: fields.get('id') ?? null,
        data: JSON.parse(data) as unknown,
      };
      this.events.push(event);
      onEvent?.(event);
    }
  }
}

function splitField(line: string): [string, string] {
  const colon = line.indexOf(':');
  return [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, '')];
}

/** Those of one test, which are cut when it has ended. */
export class SseReaders {
  private readonly readers: SseReader[] = [];

  open(url: string, lastEventId: string | null): SseReader {
    const reader = new SseReader(url, { lastEventId });
    this.readers.push(reader);
    return reader;
  }

  cut(): void {
    for (const reader of this.readers.splice(0)) reader.cut();
  }
}
