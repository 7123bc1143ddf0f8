import pg from 'pg';

const AGAIN_MS = 1000;

export interface ListenerOptions {
  databaseUrl: string;
  name: string;
  channel: string;
  hear: (payload: string) => void;
}

/**
 * Hears what processes say with NOTIFY, on a connection of its own. What is said while that
 * connection is away is lost: nothing may depend on it but speed.
 */
export class Listener {
  private client: pg.Client | undefined;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(private readonly options: ListenerOptions) {}

  /** Resolves when it listens, or when the first try has failed and another one is due. */
  async listen(): Promise<void> {
    if (this.closed) return;
    const { databaseUrl, name, channel, hear } = this.options;
    const client = new pg.Client({
      connectionString: databaseUrl,
      application_name: `sluice-${name}-listen`,
    });
    this.client = client;
    const again = () => {
      if (this.client !== client) return;
      this.client = undefined;
      client.end().catch(() => undefined);
      if (!this.closed) this.timer = setTimeout(() => void this.listen(), AGAIN_MS).unref();
    };
    client.on('error', again).on('end', again);
    client.on('notification', ({ payload }) => hear(payload ?? ''));
    try {
      await client.connect();
      await client.query(`LISTEN ${pg.escapeIdentifier(channel)}`);
    } catch {
      again();
    }
  }

  async close(): Promise<void> {
    this.closed = true;
    clearTimeout(this.timer);
    const client = this.client;
    this.client = undefined;
    await client?.end().catch(() => undefined);
  }
}
