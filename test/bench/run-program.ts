import { spawn } from 'node:child_process';

/** Runs a program to its end; anything but exit code 0 is an error with the end of what it said. */
export function runProgram(command: string, args: string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    const interrupted = () => child.kill('SIGKILL');
    process.once('exit', interrupted);
    let said = '';
    child.stderr.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-4000);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      process.off('exit', interrupted);
      if (code === 0) resolve();
      else reject(new Error(`${command} ended with ${code ?? signal}:\n${said}`));
    });
  });
}
