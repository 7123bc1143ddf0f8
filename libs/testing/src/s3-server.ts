import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, connect as dial, type Server } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { type Child, lastLines, startChild, waitUntil } from '#launcher';
import { given } from './environment.js';
import { testPort } from './ports.js';

/** A real store that tests may use: what it is told by, with a bucket still to be made. */
export interface S3Address {
  endpoint: string;
  region: string;
  accessKeyId: string;
  secretAccessKey: string;
}

/** Its first start on a machine installs packages. */
const START_MS = 240_000;
const SOCKET = 's3.sock';
/** Of a test's own hook that asks for the store. */
export const S3_HOOK_MS = START_MS + 20_000;

/** Why there is no store for the tests, for the note of those that are skipped; null where there is one. */
export const noS3Reason = (): string | null =>
  process.env.S3_TEST_ENDPOINT || process.env.S3_SERVER
    ? null
    : 'no S3 store: set S3_TEST_ENDPOINT, or S3_SERVER to a command that starts one';

/** One store for the whole run, started when the first test file asks and stopped at the end. */
export async function s3Address(): Promise<S3Address> {
  const { S3_TEST_ENDPOINT, S3_TEST_REGION, S3_TEST_ACCESS_KEY_ID, S3_TEST_SECRET_ACCESS_KEY } = process.env;
  if (S3_TEST_ENDPOINT) {
    return {
      endpoint: S3_TEST_ENDPOINT,
      region: S3_TEST_REGION ?? 'us-east-1',
      accessKeyId: S3_TEST_ACCESS_KEY_ID ?? 'test:tester',
      secretAccessKey: S3_TEST_SECRET_ACCESS_KEY ?? 'testing',
    };
  }
  const answer = JSON.parse(String(await buffer(dial(join(given('TEST_DIR'), SOCKET))))) as
    | { address: S3Address }
    | { failed: string };
  if ('failed' in answer) throw new Error(answer.failed);
  return answer.address;
}

/** Runs in the process of the global set-up: test files are processes of their own that come and go. */
export class S3Server {
  private readonly server: Server;
  private started: Promise<{ child: Child; address: S3Address }> | null = null;

  private constructor(
    private readonly dir: string,
    private readonly command: string,
  ) {
    this.server = createServer((socket) => {
      socket.on('error', () => undefined);
      this.started ??= this.start();
      this.started
        .then(({ address }) => ({ address }))
        .catch((error: Error) => ({ failed: error.message }))
        .then((answer) => socket.end(JSON.stringify(answer)));
    });
  }

  /** Null where no command is given. */
  static async listen(dir: string): Promise<S3Server | null> {
    const command = process.env.S3_SERVER;
    if (!command) return null;
    const offered = new S3Server(dir, command);
    await new Promise<void>((resolve, reject) =>
      offered.server.once('error', reject).listen(join(dir, SOCKET), resolve),
    );
    return offered;
  }

  async stop(): Promise<void> {
    this.server.close();
    const running = await this.started?.catch(() => null);
    await running?.child.stop(15_000);
  }

  private async start() {
    const state = await mkdtemp(join(this.dir, 's3-'));
    const port = await testPort();
    const logFile = join(state, 'start.log');
    const secretAccessKey = 'testing';
    const child = await startChild({
      name: 'the S3 store',
      command: this.command,
      args: [join(state, 'state'), String(port)],
      logFile,
      env: {
        ...process.env,
        S3_ACCESS_KEY: 'test:tester',
        S3_SECRET_KEY: secretAccessKey,
        S3_REGION: 'us-east-1',
      },
    });
    const failed = () => `the S3 store (${this.command}) did not start:\n${lastLines(logFile)}`;
    try {
      await waitUntil(() => /^SECRET=/m.test(readFileSync(logFile, 'utf8')), {
        what: `the S3 store to be ready; its log ends:\n${lastLines(logFile)}`,
        timeoutMs: START_MS,
        hopeless: () => (child.isRunning() ? undefined : failed()),
      });
    } catch (error) {
      await child.stop(5000);
      await rm(state, { recursive: true, force: true });
      throw error;
    }
    const address = {
      endpoint: `http://127.0.0.1:${port}`,
      region: 'us-east-1',
      accessKeyId: 'test:tester',
      secretAccessKey,
    };
    return { child, address };
  }
}
