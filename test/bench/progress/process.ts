import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const FOLDER = path.resolve('test/bench/progress/processes');

/** A process of the bench that answers messages; it ends with us. */
export class Assistant {
  private constructor(private readonly child: ChildProcess) {}

  static async start(script: string, args: string[] = []): Promise<Assistant> {
    const child = fork(path.join(FOLDER, script), args);
    const assistant = new Assistant(child);
    await assistant.answer();
    return assistant;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  async ask<T>(message: Record<string, unknown>): Promise<T> {
    const answer = this.answer();
    this.child.send(message);
    return (await answer) as T;
  }

  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const gone = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await gone;
  }

  private async answer(): Promise<unknown> {
    const answered = new AbortController();
    const { signal } = answered;
    const ended = once(this.child, 'exit', { signal }).then(([code]) => {
      throw new Error(`a process of the bench ended with ${code}`);
    });
    ended.catch(() => undefined);
    try {
      const [message] = await Promise.race([once(this.child, 'message', { signal }), ended]);
      return message;
    } finally {
      answered.abort();
    }
  }
}
