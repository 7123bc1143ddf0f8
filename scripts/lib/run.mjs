import { spawn } from 'node:child_process';
import { Refusal } from './say.mjs';

const KEPT_OUTPUT = 20_000;

/**
 * Runs a command to its end and resolves with its exit status. SIGTERM and Ctrl-C reach it and then end us.
 * `quiet`: its output is only kept for the error message (the last 20,000 characters).
 */
export function run(command, args, { quiet = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : 'inherit';
    const child = spawn(command, args, { ...options, stdio });
    let output = '';
    const keep = (data) => {
      output = (output + data).slice(-KEPT_OUTPUT);
    };
    child.stdout?.on('data', keep);
    child.stderr?.on('data', keep);
    let interrupted;
    const forward = (signal) => {
      interrupted = signal;
      child.kill(signal);
    };
    for (const signal of SIGNALS) process.on(signal, forward);
    const done = () => {
      for (const signal of SIGNALS) process.off(signal, forward);
    };
    child.on('error', (error) => {
      done();
      reject(error);
    });
    child.on('close', (code, signal) => {
      done();
      if (interrupted) reject(new Refusal('Stopped.', interrupted === 'SIGINT' ? 130 : 143));
      else resolve({ status: code ?? 1, signal, output: output.trim() });
    });
  });
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/** The same, and a status other than 0 is an error that shows what was said. */
export async function mustRun(what, command, args, options = {}) {
  const { status, output } = await run(command, args, { quiet: true, ...options });
  if (status !== 0)
    throw new Refusal(`${output}\n\n${what} failed (exit status ${status}); the reason is above.`);
}
