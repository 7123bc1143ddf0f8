import { Inject, Injectable } from '@nestjs/common';
import type { DataSource } from '#persistence';
import { DATA_SOURCE } from './tokens.js';
import { WorkerIdentity } from './worker-identity.js';

const HEARTBEAT_MS = 5000;
/** A row without a heartbeat for this long is a process that is gone. */
const FORGET_SECONDS = 3600;

/** The row of `workers` that says where this process's scratch is. */
@Injectable()
export class WorkerRegistry {
  private timer: NodeJS.Timeout | undefined;

  constructor(
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
    @Inject(WorkerIdentity) private readonly identity: WorkerIdentity,
  ) {}

  async register(address: string): Promise<void> {
    await this.beat(address);
    this.timer = setInterval(() => void this.beat(address).catch(() => undefined), HEARTBEAT_MS);
    this.timer.unref();
  }

  async unregister(): Promise<void> {
    clearInterval(this.timer);
    await this.dataSource.query('DELETE FROM workers WHERE id = $1', [this.identity.id]);
  }

  private async beat(address: string): Promise<void> {
    await this.dataSource.query(
      `INSERT INTO workers (id, service, address, encoders) VALUES ($1, 'transcode', $2, $3)
       ON CONFLICT (id) DO UPDATE SET address = EXCLUDED.address, encoders = EXCLUDED.encoders, heartbeat_at = now()`,
      [this.identity.id, address, [...this.identity.encoders]],
    );
    await this.dataSource.query(`DELETE FROM workers WHERE heartbeat_at < now() - $1 * interval '1 second'`, [
      FORGET_SECONDS,
    ]);
  }
}
