import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ServiceName } from '#contracts';
import { type Child, lastLines, startChild, waitUntil } from '#launcher';

const DIST = fileURLToPath(new URL('../../../', import.meta.url));
const HEALTHY_WITHIN_MS = 30_000;

/** Where the built main of a service is. */
export const serviceMain = (name: ServiceName) => join(DIST, 'apps', name, 'src', 'main.js');

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
    this.child = await startChild({
      name: this.name,
      command: process.execPath,
      args: ['--enable-source-maps', serviceMain(this.name)],
      env: this.options.env,
      logFile: this.options.logFile,
    });
    try {
      await waitUntil(async () => (await fetch(`${this.url}/health`)).ok, {
        what: `${this.name} to be healthy at ${this.url}`,
        timeoutMs: HEALTHY_WITHIN_MS,
        hopeless: () => (this.child.isRunning() ? undefined : `${this.name} ended while starting`),
      });
    } catch (error) {
      await this.child.stop(0);
      throw new Error(`${(error as Error).message}; its log ends with:\n${lastLines(this.options.logFile)}`);
    }
  }
}
