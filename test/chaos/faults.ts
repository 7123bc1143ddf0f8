import type { ServiceName } from '#contracts';
import { descendantsOf, type RunningProcess, type Stack, stillRunning, waitFor } from '#testing';
import type { Random } from '../upload/property/random.js';
import { type Backing, pause } from './backing.js';

export const FAULTS = [
  'kill transcode',
  'kill segment-upload',
  'kill upload',
  'kill gateway',
  'restart redis',
  'flush redis',
  'restart postgres',
] as const;
export type Fault = (typeof FAULTS)[number];

const LONGEST_PAUSE_MS = 1200;
/** A service cannot start while Postgres or Redis is away; whoever runs it tries again. */
const RESTART_TRIES = 5;

/** Does to a stack what is to be done to it, one fault after the other; what was killed comes back meanwhile. */
export class Chaos {
  private readonly coming = new Map<string, Promise<void>>();
  private readonly encoders: RunningProcess[] = [];

  constructor(
    private readonly stack: Stack,
    private readonly backing: Backing,
    private readonly random: Random,
  ) {}

  async strike(fault: Fault): Promise<void> {
    const moment = this.random.between(0, LONGEST_PAUSE_MS);
    const away = this.random.between(0, LONGEST_PAUSE_MS);
    const place = this.random.next();
    await pause(moment);
    if (fault === 'restart redis') return this.backing.restartRedis(away);
    if (fault === 'flush redis') return this.backing.flushRedis();
    if (fault === 'restart postgres') return this.backing.restartPostgres(away);
    const service = fault.slice('kill '.length) as ServiceName;
    await this.kill(service, Math.floor(place * this.stack.processes[service].length), away);
  }

  /** All services are there again, and of those that were killed no encoder runs any more. */
  async settle(): Promise<void> {
    await Promise.all(this.coming.values());
    await waitFor(() => stillRunning(this.encoders).length === 0, {
      what: 'encoders of killed processes to be gone',
    });
  }

  private async kill(service: ServiceName, index: number, awayMs: number): Promise<void> {
    const name = `${service} ${index}`;
    await this.coming.get(name);
    const { pid } = (this.stack.processes[service][index] as Stack['processes'][ServiceName][number]).process;
    this.encoders.push(...descendantsOf(pid));
    await this.stack.kill(service, 'SIGKILL', index);
    this.coming.set(name, this.restart(service, index, awayMs));
  }

  private async restart(service: ServiceName, index: number, awayMs: number): Promise<void> {
    await pause(awayMs);
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.stack.restart(service, index);
      } catch (error) {
        if (attempt === RESTART_TRIES) throw error;
      }
    }
  }
}
