import type { ServiceName } from '#contracts';
import { type Child, startService } from '#launcher';

/** One process of one service; started again it keeps its port and its environment. */
export class TestService {
  private child: Child;

  private constructor(
    readonly name: ServiceName,
    readonly url: string,
    private readonly options: { env: NodeJS.ProcessEnv; logFile: string },
  ) {}

  static async start(
    name: ServiceName,
    url: string,
    options: { env: NodeJS.ProcessEnv; logFile: string },
  ): Promise<TestService> {
    const service = new TestService(name, url, options);
    await service.launch();
    return service;
  }

  get process(): Child {
    return this.child;
  }

  get logFile(): string {
    return this.options.logFile;
  }

  /** Where a transcode process keeps what the store has not confirmed yet. */
  get scratchDir(): string {
    return this.options.env.SCRATCH_DIR ?? '';
  }

  /** Ends what may still run, without ceremony, and starts anew; resolves when it is healthy. */
  async restart(): Promise<void> {
    await this.end('SIGKILL');
    await this.launch();
  }

  /** Sends the signal; when it is one that ends the process, resolves after that. */
  async end(signal: NodeJS.Signals): Promise<void> {
    this.child.kill(signal);
    if (['SIGKILL', 'SIGTERM', 'SIGINT'].includes(signal)) await this.child.exited;
  }

  private async launch(): Promise<void> {
    this.child = await startService(this.name, { url: this.url, ...this.options });
  }
}
