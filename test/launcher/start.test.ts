import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { hasSetpriv } from '#launcher';
import { descendantsOf, type RunningProcess, stillRunning, testDir, waitFor } from '#testing';
import { isLongRun } from '../long-run.js';

const START = join(import.meta.dirname, '../../scripts/start.mjs');
const SLUICE = join(import.meta.dirname, '../../scripts/sluice.mjs');
/** Starting four services on a machine that does other things, too. */
const PATIENCE_MS = 120_000;

let dir: string;
let clip: string;

beforeAll(async () => {
  dir = await testDir('start');
  clip = join(dir, 'clip.mp4');
  const inputs = ['-f', 'lavfi', '-i', 'testsrc=s=320x240:r=25:d=5', '-f', 'lavfi', '-i', 'sine=d=5'];
  const codecs = [
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
    '-pix_fmt',
    'yuv420p',
    '-c:a',
    'aac',
    '-shortest',
  ];
  execFileSync('ffmpeg', ['-v', 'error', '-y', ...inputs, ...codecs, clip]);
});

/** `npm start` as a shell in a terminal starts it: at the head of a process group. */
class Start {
  readonly process: ChildProcess;
  readonly exited: Promise<unknown[]>;
  output = '';
  private readonly seen = new Map<number, RunningProcess>();

  constructor(home: string, ...args: string[]) {
    this.process = spawn(process.execPath, [START, ...args], {
      env: { ...process.env, SLUICE_HOME: home, RECONCILE_INTERVAL_SECONDS: '1' },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    for (const stream of [this.process.stdout, this.process.stderr]) {
      stream?.on('data', (data) => {
        this.output += data;
        this.look();
      });
    }
    this.exited = once(this.process, 'exit');
  }

  /** Notes what runs below it now. */
  look(): void {
    for (const process of descendantsOf(this.process.pid as number)) this.seen.set(process.pid, process);
  }

  left(): RunningProcess[] {
    return stillRunning([...this.seen.values()]);
  }

  async says(text: string | RegExp): Promise<void> {
    await waitFor(() => this.process.exitCode !== null || this.output.match(text), {
      what: `"${text}"`,
      timeoutMs: PATIENCE_MS,
    });
    expect(this.output).toMatch(text);
  }

  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-(this.process.pid as number), signal);
  }
}

it('a video goes in, a playing stream comes out; what is no video is refused with its reason', async () => {
  const home = join(dir, 'home');
  const text = join(dir, 'notes.mp4');
  await writeFile(text, 'These are not the frames that you are looking for.\n'.repeat(100));

  const first = new Start(home, '--exit', clip, text);
  const [firstStatus] = await first.exited;
  expect(first.output).toMatch(
    /clip\.mp4: playable after \d+\.\d s {2}http:\/\/localhost:\d+\/watch\/[0-9a-f-]{36}/,
  );
  expect(first.output).toMatch(/clip\.mp4: complete after \d+\.\d s {2}http:\/\/localhost:\d+\/watch\//);
  expect(first.output).toMatch(/notes\.mp4: failed: .+ \([a-z_]+\)/);
  expect(firstStatus).toBe(1);
  expect(first.left()).toEqual([]);

  const second = new Start(home, '--exit', clip);
  const [secondStatus] = await second.exited;
  expect(second.output).toMatch(/clip\.mp4: complete after/);
  expect(secondStatus).toBe(0);
  expect(second.left()).toEqual([]);
}, 300_000);

it.runIf(isLongRun)(
  'Ctrl-C, also pressed twice, stops everything within seconds',
  async () => {
    const start = new Start(join(dir, 'interrupted'));
    await start.says(/^http:\/\/localhost:\d+$/m);
    start.look();
    expect(start.left().length).toBeGreaterThan(5);
    const pressed = Date.now();
    start.signalGroup('SIGINT');
    start.signalGroup('SIGINT');
    expect(await start.exited).toEqual([0, null]);
    expect(Date.now() - pressed).toBeLessThan(15_000);
    expect(start.left()).toEqual([]);
  },
  200_000,
);

it('Ctrl-C while it starts leaves nothing either', async () => {
  const start = new Start(join(dir, 'impatient'));
  await waitFor(
    () => {
      start.look();
      return start.left().some(({ command }) => command.includes('postgres'));
    },
    { what: 'Postgres to start', timeoutMs: PATIENCE_MS },
  );
  start.signalGroup('SIGINT');
  await start.exited;
  expect(start.left()).toEqual([]);
  expect(start.output).not.toMatch(/http:/);
}, 200_000);

it('when it is killed its children go, the next start works, and commands join it', async (context) => {
  if (!hasSetpriv()) context.skip('this system cannot tie a process to its parent');
  const home = join(dir, 'killed');
  const start = new Start(home);
  await start.says(/^http:\/\/localhost:\d+$/m);
  start.look();
  start.process.kill('SIGKILL');
  await start.exited;
  const again = new Start(home);
  await again.says(/^http:\/\/localhost:\d+$/m);
  expect(start.left()).toEqual([]);
  const doctor = spawnSync(process.execPath, [SLUICE, 'doctor', '--json'], {
    env: { ...process.env, SLUICE_HOME: home },
    encoding: 'utf8',
  });
  expect([doctor.status, doctor.stdout]).toEqual([0, expect.stringMatching(/all \d+ migrations are there/)]);
  expect(statSync(join(home, 'running.json')).mode & 0o077).toBe(0);
  again.signalGroup('SIGTERM');
  await again.exited;
  expect(existsSync(join(home, 'running.json'))).toBe(false);
  expect(again.left()).toEqual([]);
}, 300_000);
