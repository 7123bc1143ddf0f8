import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startChild } from '#launcher';
import { testDir } from '#testing';

const SCRIPTS = join(import.meta.dirname, '../../scripts');
/** The scripts are plain JavaScript: they run before anything is installed, so also before types are. */
const load = (name: string) => import(join(SCRIPTS, 'lib', name));

it('an old Node is refused in one sentence', async () => {
  const { checkNode } = await load('node-version.mjs');
  for (const version of ['18.20.4', '20.18.3'])
    expect(() => checkNode(version)).toThrow(/needs Node 20.19 or later/);
  for (const version of ['20.19.0', '22.0.0', '24.1.0']) checkNode(version);
});

it('files are looked up where the person stands, and a missing one or a folder is said at once', async () => {
  const { parseArguments } = await load('arguments.mjs');
  const dir = await testDir('arguments');
  await writeFile(join(dir, 'a.mp4'), '');
  await writeFile(join(dir, '--odd.mp4'), '');
  expect(parseArguments([], dir)).toEqual({ help: false, exit: false, files: [] });
  expect(parseArguments(['--exit', 'a.mp4', '--', '--odd.mp4'], dir)).toEqual({
    help: false,
    exit: true,
    files: [join(dir, 'a.mp4'), join(dir, '--odd.mp4')],
  });
  expect(() => parseArguments(['b.mp4'], dir)).toThrow(/There is no file .*b\.mp4/);
  expect(() => parseArguments(['.'], dir)).toThrow(/is not a file/);
  expect(() => parseArguments(['--exit'], dir)).toThrow(/at least one file/);
  expect(() => parseArguments(['--fast'], dir)).toThrow(/no option --fast/);
});

it('what is built is stale when a file changed, came, went or was renamed, and only then', async () => {
  const { hashOf, isStale, remember } = await load('stale.mjs');
  const dir = await testDir('stale');
  await mkdir(join(dir, 'src/deep'), { recursive: true });
  await writeFile(join(dir, 'src/deep/a.ts'), 'a');
  const mark = join(dir, 'out/mark');
  const hash = () => hashOf(dir, ['src', 'not-there.json']);
  expect(await isStale(mark, await hash())).toBe(true);
  const first = await hash();
  await remember(mark, first);
  expect(await isStale(mark, await hash())).toBe(false);
  const changes: (() => Promise<void>)[] = [
    () => writeFile(join(dir, 'src/deep/a.ts'), 'b'),
    () => writeFile(join(dir, 'src/b.ts'), ''),
    () => writeFile(join(dir, 'not-there.json'), ''),
    () => rm(join(dir, 'src/deep/a.ts')),
  ];
  for (const change of changes) {
    const before = await hash();
    await change();
    expect(await hash()).not.toBe(before);
  }
});

it('the last line counts what failed outside of tests too', async () => {
  const { summarise } = await load('summary.mjs');
  const results = { passed: 2, failed: 1, skipped: ['S3 (no server)'] };
  expect(summarise(results, { checkFailed: true, runStatus: 1 })).toEqual({
    lines: ['skipped: S3 (no server)', '2 passed, 2 failed, 1 skipped'],
    status: 1,
  });
  expect(summarise(null, { checkFailed: false, runStatus: 137 }).lines).toEqual([
    '0 passed, 1 failed, 0 skipped',
  ]);
  expect(summarise({ passed: 3, failed: 0, skipped: [] }, { checkFailed: false, runStatus: 0 })).toEqual({
    lines: ['3 passed, 0 failed, 0 skipped'],
    status: 0,
  });
});

const holdLock = (home: string) =>
  spawn(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `(await import(${JSON.stringify(join(SCRIPTS, 'lib/lock.mjs'))})).takeLock(${JSON.stringify(home)}); console.log('held'); setInterval(() => {}, 1000);`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );

it('one start per home: a second is told so, and a dead one stands in nobody\u2019s way', async () => {
  const { takeLock } = await load('lock.mjs');
  const home = await testDir('lock');
  const holder = holdLock(home);
  await once(holder.stdout, 'data');
  await writeFile(join(home, 'url'), 'http://localhost:4100');
  expect(() => takeLock(home)).toThrow(
    `already running here at http://localhost:4100 (process ${holder.pid})`,
  );
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const letGo = takeLock(home);
  expect(JSON.parse(await readFile(join(home, 'lock'), 'utf8'))).toMatchObject({ pid: process.pid });
  letGo();
  await expect(readFile(join(home, 'lock'))).rejects.toThrow(/ENOENT/);
});

it('of many that start at once over a dead one, one gets the lock', async () => {
  const home = await testDir('race');
  await writeFile(join(home, 'lock'), JSON.stringify({ pid: process.pid, identity: 'of an earlier boot' }));
  const contenders = Array.from({ length: 6 }, () => {
    const child = spawn(
      process.execPath,
      [
        '--input-type=module',
        '-e',
        `
      const { takeLock } = await import(${JSON.stringify(join(SCRIPTS, 'lib/lock.mjs'))});
      try { takeLock(${JSON.stringify(home)}); console.log('held'); setInterval(() => {}, 1000); } catch (error) { console.log(error.message); }`,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    return { child, said: once(child.stdout, 'data').then(([data]) => String(data).trim()) };
  });
  const said = await Promise.all(contenders.map((contender) => contender.said));
  for (const { child } of contenders) child.kill('SIGKILL');
  expect(said.filter((text) => text === 'held')).toHaveLength(1);
  expect(said.filter((text) => text.includes('already running'))).toHaveLength(5);
});

it('what a killed run left is ended, but never a process that only has the same id', async () => {
  const { endLeftovers, rememberProcess } = await load('leftovers.mjs');
  const home = await testDir('leftovers');
  const options = { command: 'sleep', args: ['600'], logFile: join(home, 'log') };
  const ours = await startChild({ name: 'ours', ...options });
  const another = await startChild({ name: 'another', ...options });
  rememberProcess(home, 'ours', ours.pid);
  const line = JSON.stringify({ name: 'earlier', pid: another.pid, identity: 'of an earlier boot' });
  await writeFile(
    join(home, 'processes'),
    `${line}\n${await readFile(join(home, 'processes'), 'utf8')}{"cut sh`,
  );
  await endLeftovers(home);
  expect(await ours.exited).toMatchObject({ signal: 'SIGTERM' });
  expect(another.isRunning()).toBe(true);
  await another.stop(1000);
});
