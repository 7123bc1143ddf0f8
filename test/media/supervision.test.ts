import { execFileSync, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SluiceError } from '#contracts';
import { runTool, ToolError } from '#media';
import { waitFor } from '#testing';

let dir: string;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-supervision-'));
});
afterAll(() => rm(dir, { recursive: true, force: true }));

/** A stand-in for ffmpeg; it writes its process id first. */
async function standIn(name: string, script: string): Promise<{ path: string; pid: () => Promise<number> }> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/bash\necho $$ > ${path}.pid\n${script}\n`);
  await chmod(path, 0o755);
  const pid = () =>
    waitFor(async () => Number(await readFile(`${path}.pid`, 'utf8').catch(() => '')) || null, {
      what: 'the pid',
      timeoutMs: 10_000,
    });
  return { path, pid };
}

/** A zombie that nobody has reaped yet is gone all the same. */
function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

/** What still runs in the session that a run leads, whatever group it is in. */
const leftOf = (session: number): string[] =>
  execFileSync('ps', ['-A', '-o', 'sess=,stat=,args='], { encoding: 'utf8' })
    .split('\n')
    .filter((line) => new RegExp(`^\\s*${session}\\s+[^Z]`).test(line));

const stall = { graceMs: 100, stallMs: 1000, measure: 'out_time_us' } as const;
const limits = { limitMs: 60_000, stall };

describe.concurrent('a supervised run', () => {
  it('S4-08 is killed when it reports once and then hangs, and is really gone', async () => {
    const tool = await standIn('hangs', 'echo out_time_us=1000; sleep 600');
    await expect(runTool(tool.path, [], limits)).rejects.toMatchObject({ code: 'encode_stalled' });
    expect(isAlive(await tool.pid())).toBe(false);
  });

  it('S4-02 counts only growth: a repeated number is no progress', async () => {
    const tool = await standIn(
      'repeats',
      'while true; do echo total_size=N/A; echo out_time_us=5; sleep 0.1; done',
    );
    const error = await runTool(tool.path, [], limits).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(SluiceError);
    expect((error as SluiceError).details).toMatchObject({ last_out_time_us: 5, last_total_size: null });
    expect((error as SluiceError).details?.stalled_ms).toBeGreaterThan(stall.stallMs);
  });

  it('S4-02 an encoder that writes bytes and does not get on in time hangs; a copy goes by its bytes', async () => {
    const encoder = await standIn(
      'no-time',
      'i=0; while true; do i=$((i+1)); echo total_size=$i; echo out_time_us=N/A; sleep 0.2; done',
    );
    const encoding = await runTool(encoder.path, [], limits).catch((e: unknown) => e);
    expect(encoding).toMatchObject({ code: 'encode_stalled' });
    expect((encoding as SluiceError).details?.last_total_size).toBeGreaterThan(1);
    const copier = await standIn(
      'no-bytes',
      'for i in 1 2 3 4 5 6 7 8; do echo total_size=$i; echo out_time_us=7; sleep 0.2; done; sleep 600',
    );
    const copying = await runTool(copier.path, [], {
      ...limits,
      stall: { ...stall, measure: 'total_size' },
    }).catch((e: unknown) => e);
    expect((copying as SluiceError).details).toMatchObject({ last_total_size: 8, last_out_time_us: 7 });
  });

  it('S4-02 leaves a run alone that grows, and one that we hold ourselves', async () => {
    const grows = await standIn('grows', 'for i in 1 2 3 4 5 6; do echo out_time_us=$i; sleep 0.3; done');
    await runTool(grows.path, [], limits);
    const held = await standIn('held', 'sleep 1.5');
    await runTool(held.path, [], { ...limits, isHeld: () => true });
  });

  it('S4-02 S4-03 being held now and then stops the clocks and does not set them back', async () => {
    const tool = await standIn('now-and-then', 'sleep 600');
    let asked = 0;
    const isHeld = () => asked++ % 2 === 0;
    // Ticks of 250 ms, every second of them held: two within the grace, three until the stall.
    const late = { ...stall, graceMs: 600, stallMs: 600 };
    await expect(runTool(tool.path, [], { ...limits, stall: late, isHeld })).rejects.toMatchObject({
      code: 'encode_stalled',
      options: { details: { stalled_ms: 750, worked_ms: 1250 } },
    });
  });

  it('kills one that ignores SIGTERM, with the child that does', async () => {
    const tool = await standIn(
      'stubborn',
      "trap '' TERM; (trap '' TERM; while true; do sleep 0.1; done) & while true; do sleep 0.1; done",
    );
    const abort = new AbortController();
    const run = runTool(tool.path, [], { limitMs: 60_000, signal: abort.signal });
    const pid = await tool.pid();
    abort.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
    expect(leftOf(pid)).toEqual([]);
  });

  it('kills one that is stopped and so writes no line at all', async () => {
    const tool = await standIn('stopped', 'echo out_time_us=1; sleep 600');
    const run = runTool(tool.path, [], { ...limits, stall: { ...stall, graceMs: 0, stallMs: 1500 } });
    const pid = await tool.pid();
    process.kill(pid, 'SIGSTOP');
    await expect(run).rejects.toMatchObject({ code: 'encode_stalled' });
    expect(isAlive(pid)).toBe(false);
  });

  it('takes its children with it', async () => {
    const tool = await standIn('parent', 'sleep 600 & echo $! > "$0.child"; wait');
    const abort = new AbortController();
    const run = runTool(tool.path, [], { limitMs: 60_000, signal: abort.signal });
    const child = await waitFor(
      async () => Number(await readFile(`${tool.path}.child`, 'utf8').catch(() => '')) || null,
      {
        what: 'the child',
        timeoutMs: 10_000,
      },
    );
    abort.abort(new Error('enough'));
    await expect(run).rejects.toThrow('enough');
    expect(isAlive(child)).toBe(false);
  });

  it('S4-07 that ends well and leaves children behind, who hold its output open, ends all the same, and so do they', async () => {
    const tool = await standIn('leaver', 'set -m; sleep 600 & (trap "" TERM; exec sleep 600) & echo bye');
    const lines: string[] = [];
    await runTool(tool.path, [], { limitMs: 60_000, onLine: (line) => lines.push(line) });
    expect(lines).toEqual(['bye']);
    expect(leftOf(await tool.pid())).toEqual([]);
  });

  it('S4-07 ends with the error of whoever reads its lines', async () => {
    const tool = await standIn('misread', 'echo nonsense; sleep 600');
    const onLine = (line: string) => {
      throw new Error(`what is ${line}?`);
    };
    await expect(runTool(tool.path, [], { limitMs: 60_000, onLine })).rejects.toThrow('what is nonsense?');
    expect(leftOf(await tool.pid())).toEqual([]);
  });

  it.each([
    ['stderr', 'yes "a complaint about nothing" >&2'],
    ['stdout', 'yes out_time_us=5'],
    ['stdout, without a line’s end', 'yes | tr -d "\\n"'],
  ])('S4-08 that floods %s is watched all the same, and its flood is not kept', async (where, script) => {
    const tool = await standIn(`floods-${where.replace(/\W/g, '')}`, script);
    const before = process.memoryUsage().rss;
    const error = await runTool(tool.path, [], limits).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'encode_stalled' });
    expect(process.memoryUsage().rss - before).toBeLessThan(150 * 1024 ** 2);
    expect(leftOf(await tool.pid())).toEqual([]);
  });

  it('S4-03 ends when its working time is over', async () => {
    const tool = await standIn(
      'slow',
      'i=0; while true; do i=$((i+1)); echo out_time_us=$i; sleep 0.05; done',
    );
    await expect(runTool(tool.path, [], { ...limits, limitMs: 700 })).rejects.toMatchObject({
      code: 'encode_timeout',
    });
  });

  it('keeps the end of a flood on stderr, and no more', async () => {
    const tool = await standIn(
      'flood',
      'for i in $(seq 1 20000); do echo "line $i of far too many" >&2; done; exit 3',
    );
    const error = await runTool(tool.path, [], { limitMs: 60_000 }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(ToolError);
    expect((error as ToolError).exitCode).toBe(3);
    expect((error as ToolError).stderr.length).toBeLessThanOrEqual(8192);
    expect((error as ToolError).stderr).toContain('line 20000');
  });

  it('dies with its parent, even when that is killed', async () => {
    const tool = await standIn('orphan', 'sleep 600');
    const media = new URL('../../dist/libs/media/src/index.js', import.meta.url).href;
    const program = `import(${JSON.stringify(media)}).then((m) => m.runTool(${JSON.stringify(tool.path)}, [], { limitMs: 600000 }))`;
    const parent = spawn(process.execPath, ['-e', program], { stdio: 'ignore' });
    const pid = await tool.pid();
    parent.kill('SIGKILL');
    await waitFor(() => !isAlive(pid), { what: 'the orphan to be gone', timeoutMs: 10_000 });
  });
});
