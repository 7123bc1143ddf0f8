import { io, type Socket } from 'socket.io-client';
import { EVENT_TYPES, type Fact, type JobView, SNAPSHOT_EVENT, type SubscribeAck } from '#contracts';
import { waitFor } from '#testing';

/** A client that writes down what it hears, in order. */
export class Watcher {
  readonly snapshots: JobView[] = [];
  readonly facts: (Fact & { at: number })[] = [];
  readonly order: string[] = [];
  /** Of nobody's job; they come when they come and are no part of the order. */
  readonly heartbeats: { timestamp: string }[] = [];

  private constructor(readonly socket: Socket) {
    socket.on(SNAPSHOT_EVENT, (snapshot: JobView) => {
      this.order.push(`snapshot ${snapshot.seq}`);
      this.snapshots.push(snapshot);
    });
    socket.on('heartbeat', (beat: { timestamp: string }) => this.heartbeats.push(beat));
    for (const type of EVENT_TYPES.filter((one) => one !== 'heartbeat')) {
      socket.on(type, (fact: Fact) => {
        this.order.push(`${type} ${fact.seq}`);
        this.facts.push({ ...fact, at: Date.now() });
      });
    }
  }

  /** Rejects with what the gateway says when it lets nobody in. */
  static async connect(url: string, token?: string): Promise<Watcher> {
    const auth = token === undefined ? {} : { token };
    const socket = io(url, { transports: ['websocket'], forceNew: true, reconnection: false, auth });
    const watcher = new Watcher(socket);
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('connect_error', reject);
    });
    return watcher;
  }

  subscribe(request: unknown): Promise<SubscribeAck> {
    return this.socket.timeout(5000).emitWithAck('subscribe', request);
  }

  unsubscribe(request: unknown): Promise<{ ok: boolean }> {
    return this.socket.timeout(5000).emitWithAck('unsubscribe', request);
  }

  numbers(): number[] {
    return this.facts.filter((fact) => fact.durable).map((fact) => fact.seq);
  }

  async hears(seq: number): Promise<void> {
    await waitFor(() => this.numbers().includes(seq), { what: `fact ${seq} to arrive`, intervalMs: 5 });
  }

  close(): void {
    this.socket.close();
  }
}

/** Whether a connection comes about with these headers. */
export function connects(url: string, headers: Record<string, string>): Promise<boolean> {
  const socket = io(url, {
    transports: ['websocket'],
    forceNew: true,
    reconnection: false,
    extraHeaders: headers,
  });
  return new Promise((resolve) => {
    const end = (answer: boolean) => {
      socket.close();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('connect_error', () => end(false));
  });
}
