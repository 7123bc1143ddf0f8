import { io } from 'socket.io-client';
import { EVENT_TYPES, type Fact, type SubscribeAck, type SubscribeRequest } from '#contracts';
import { waitFor } from '#testing';
import type { Random } from '../upload/property/random.js';
import { SseReader } from './sse.js';

interface Line {
  cut(): void;
  isDown(): boolean;
}

/**
 * A client whose line is cut again and again, and which comes back to any of the gateways with the last
 * event id that it has. It writes down what it is told.
 */
export class CutClient {
  readonly durable: Fact[] = [];
  /** The newest of each job. */
  readonly progress = new Map<string, Fact>();
  cuts = 0;
  private lastEventId: string | null = null;
  private heard = 0;
  private line: Line | null = null;

  constructor(
    readonly name: string,
    private readonly open: (client: CutClient, url: string, lastEventId: string | null) => Line,
    private readonly gateways: () => string,
  ) {}

  take(fact: Fact): void {
    this.heard += 1;
    if (!fact.durable) this.progress.set(fact.job_id, fact);
    else {
      this.durable.push(fact);
      this.knows(fact.id);
    }
  }

  /** Of the first answer, before there was any fact. */
  knows(id: string | null | undefined): void {
    this.lastEventId = id ?? this.lastEventId;
  }

  /** Comes for the first time; resolves when it has an id to come back with. */
  async join(): Promise<void> {
    this.line = this.open(this, this.gateways(), null);
    await waitFor(() => this.lastEventId, { what: `${this.name} to be answered`, intervalMs: 5 });
  }

  /**
   * Cuts and comes back `times` times, each after another random number of facts, or when no more will
   * come before it does; then stays.
   */
  async live(times: number, random: Random, noneFollow: () => boolean): Promise<void> {
    while (this.cuts < times && this.line) {
      const until = this.heard + random.between(0, 5);
      await waitFor(() => this.heard >= until || noneFollow() || this.line?.isDown(), {
        what: `${this.name} to hear of something`,
        intervalMs: 2,
      });
      this.line.cut();
      this.cuts += 1;
      this.line = this.open(this, this.gateways(), this.lastEventId);
    }
  }

  /** Comes back when its line is down for another reason, as clients do. */
  keep(): void {
    if (this.line?.isDown()) this.line = this.open(this, this.gateways(), this.lastEventId);
  }

  close(): void {
    this.line?.cut();
  }
}

export function sseLine(path: string) {
  return (client: CutClient, url: string, lastEventId: string | null): Line => {
    const reader = new SseReader(url + path, {
      lastEventId,
      onEvent: ({ event, id, data }) => {
        if ((EVENT_TYPES as readonly string[]).includes(event)) client.take(data as Fact);
        else client.knows(id);
      },
    });
    return { cut: () => reader.cut(), isDown: () => reader.ended };
  };
}

export function socketLine(wish: SubscribeRequest) {
  return (client: CutClient, url: string, lastEventId: string | null): Line => {
    let isUp = true;
    const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false });
    const request = lastEventId === null ? wish : { ...wish, last_event_id: lastEventId };
    const down = () => {
      isUp = false;
    };
    socket.on('connect_error', down);
    socket.on('disconnect', down);
    socket.on('connect', () => {
      socket.emit('subscribe', request, (answer: SubscribeAck) => {
        if (!isUp) return;
        if (!answer.ok) down();
        else if (lastEventId === null) client.knows(answer.last_event_id);
      });
    });
    for (const type of EVENT_TYPES) {
      socket.on(type, (fact: Fact) => {
        if (isUp && fact.job_id) client.take(fact);
      });
    }
    const cut = () => {
      down();
      socket.io.engine?.close();
      socket.close();
    };
    return { cut, isDown: () => !isUp };
  };
}
