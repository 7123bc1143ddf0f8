import { spawn } from 'node:child_process';
import type { Readable } from 'node:stream';

export interface RunResult {
  code: number;
  stdout: Buffer;
  stderr: string;
  /** What the child wrote on file descriptor 3. */
  third: string;
}

/** A run that has not ended by then is killed: no clip of the tests needs a tenth of it. */
const LIMIT_MS = 120_000;

/** Runs a program to its end. Never rejects for its exit code; rejects when it cannot be started. */
export function run(command: string, args: string[]): Promise<RunResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe', 'pipe'] });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
    const parts: Buffer[][] = [[], [], []];
    for (const [place, stream] of [child.stdout, child.stderr, child.stdio[3] as Readable].entries()) {
      stream?.on('data', (data: Buffer) => parts[place]?.push(data));
    }
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(timer);
      const [stdout, stderr, third] = parts.map((part) => Buffer.concat(part)) as [Buffer, Buffer, Buffer];
      resolve({ code: code ?? -1, stdout, stderr: stderr.toString(), third: third.toString() });
    });
  });
}

/** The same, but an exit code other than 0 is an error with what the program said. */
export async function mustRun(command: string, args: string[]): Promise<RunResult> {
  const result = await run(command, args);
  if (result.code !== 0) {
    throw new Error(`${command} ${args.join(' ')} ended with ${result.code}:\n${result.stderr.slice(-2000)}`);
  }
  return result;
}
