import { Inject, Injectable } from '@nestjs/common';
import type { Environment } from '#config';
import type { DataSource } from '#persistence';
import { DATA_SOURCE, ENVIRONMENT } from '../tokens.js';

/** Row of `settings`; it stands above the environment and is read when a run begins. */
const SETTING = 'worker_streaming_upload';

/** S0-18: whether segments leave while their run goes on, or only when it has ended. */
@Injectable()
export class Streaming {
  constructor(
    @Inject(ENVIRONMENT) private readonly environment: Environment,
    @Inject(DATA_SOURCE) private readonly dataSource: DataSource,
  ) {}

  async isOn(): Promise<boolean> {
    const rows = (await this.dataSource.query('SELECT value FROM settings WHERE name = $1', [SETTING])) as {
      value: string;
    }[];
    const said = rows[0]?.value;
    if (said === 'true' || said === 'false') return said === 'true';
    return this.environment.WORKER_STREAMING_UPLOAD === 'true';
  }
}
