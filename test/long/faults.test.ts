import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { descendantsOf, type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { mustComplete, streamOf, upload } from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';

/** Slow enough to be interrupted, with ten segments and several spans. */
const SLOW = { SEGMENT_SECONDS: '1', SPAN_SECONDS: '4', ENCODER_PRESET: 'fast' };
/** Whole jobs run here, some twice; a busy machine may take its time. */
const PATIENCE = 180_000;
const WINDOW = 2;
const STALL_SECONDS = 6;
const plain = TIMED.find((clip) => clip.name === 'plain')!;

let stack: Stack;
afterEach(async () => {
  await stack?.stop();
});

const segmentRows = (job: string) =>
  stack.query(
    `SELECT r.name, s.segment_index, s.sha256, s.lease_number FROM segments s JOIN renditions r ON r.id = s.rendition_id
     WHERE s.job_id = $1 ORDER BY r.name, s.segment_index`,
    [job],
  );

const untilStored = (job: string, count: number) =>
  waitFor(async () => (await segmentRows(job)).length >= count, {
    what: `${count} stored segments`,
    timeoutMs: 50_000,
  });

async function expectWhole(job: string): Promise<void> {
  const source = await fileOf(plain);
  const view = await mustComplete(stack, job, PATIENCE);
  const { problems } = await verifyStream(streamOf(stack, view), { ...plain, source, frames: 'numbered' });
  expect(problems).toEqual([]);
}

const encoders = () =>
  stack.processes.transcode
    .flatMap(({ process }) => descendantsOf(process.pid))
    .filter(({ command }) => command.includes('ffmpeg'));

describe('when something dies', { timeout: PATIENCE }, () => {
  it('S0-15 a killed encoder’s work goes on at the first missing segment, and what was stored stays', async () => {
    stack = await startStack({ env: SLOW, services: { transcode: 2 } });
    const job = await upload(stack, await fileOf(plain));
    await untilStored(job, 8);
    const orphans = encoders();
    const before = await segmentRows(job);
    await stack.kill('transcode', 'SIGKILL', 0);
    await expectWhole(job);
    const after = await segmentRows(job);
    expect(after).toEqual(expect.arrayContaining(before));
    expect(encoders().filter(({ pid }) => orphans.some((orphan) => orphan.pid === pid))).toEqual([]);
  });

  it('S1-10 a transcode process that is told to stop hands its work over without blame', async () => {
    stack = await startStack({ env: SLOW, services: { transcode: 2 } });
    const job = await upload(stack, await fileOf(plain));
    await untilStored(job, 4);
    await stack.kill('transcode', 'SIGTERM', 0);
    await expectWhole(job);
    const blamed = await stack.query(
      'SELECT 1 FROM spans WHERE job_id = $1 AND (attempts > 0 OR unclean_deaths > 0)',
      [job],
    );
    expect(blamed).toEqual([]);
  });

  it('S0-16 segment-upload killed in mid-job: every segment is stored once', async () => {
    stack = await startStack({ env: SLOW });
    const job = await upload(stack, await fileOf(plain));
    await untilStored(job, 4);
    await stack.kill('segment-upload');
    await stack.restart('segment-upload');
    await expectWhole(job);
  });

  it('an emptied Redis costs nothing but a moment', async () => {
    stack = await startStack({ env: SLOW });
    const job = await upload(stack, await fileOf(plain));
    await untilStored(job, 4);
    const { createRedis } = await import('#queue');
    const redis = createRedis(stack.redisUrl, 'producer', 'test');
    await redis.flushdb();
    redis.disconnect();
    await expectWhole(job);
  });
});

describe('when something is slow', { timeout: PATIENCE }, () => {
  it('S0-12 a store that takes nothing holds ffmpeg: the scratch stays within its window, and no stall is seen', async () => {
    stack = await startStack({
      env: {
        ...SLOW,
        ENCODER_PRESET: 'ultrafast',
        HANDOVER_WINDOW: String(WINDOW),
        FFMPEG_STALL_GRACE_SECONDS: '0.1',
        // On a busy machine the start of ffmpeg alone takes three.
        FFMPEG_STALL_SECONDS: String(STALL_SECONDS),
      },
    });
    await stack.kill('segment-upload', 'SIGSTOP');
    const job = await upload(stack, await fileOf(plain));
    // What makes a stream playable cannot be stored here; the rest is to run all the same.
    await waitFor(
      async () => (await stack.query('SELECT 1 FROM spans WHERE job_id = $1', [job])).length > 0,
      {
        what: 'the job to be planned',
      },
    );
    await stack.query(`UPDATE spans SET params = params || '{"waitsFor": null}' WHERE job_id = $1`, [job]);
    const scratch = stack.processes.transcode[0]!.scratchDir;
    const waiting = async () => {
      const files = await readdir(scratch, { recursive: true }).catch(() => [] as string[]);
      return files.filter((file) => /-(init|\d+)$/.test(file) && /p-|audio-/.test(file));
    };
    // Every encoder has filled its window and waits.
    await waitFor(async () => (await waiting()).length >= 3 * WINDOW, {
      what: 'full windows',
      timeoutMs: 40_000,
    });
    const runs = new Map<string, number>();
    for (const file of await waiting()) {
      const run = file.replace(/-(init|\d+)$/, '');
      runs.set(run, (runs.get(run) ?? 0) + 1);
    }
    // The window, and the segment that is being written.
    expect(Math.max(...runs.values())).toBeLessThanOrEqual(WINDOW + 1);
    expect(encoders().length).toBeGreaterThan(0);
    const heldFor = async () => {
      const files = (await waiting()).map((file) => stat(join(scratch, file)));
      return Date.now() - Math.max(...(await Promise.all(files)).map(({ mtimeMs }) => mtimeMs));
    };
    await waitFor(async () => (await heldFor()) > 1000 * (STALL_SECONDS + 1), {
      what: 'all of them to be held for longer than a stall',
    });
    await stack.kill('segment-upload', 'SIGCONT');
    await expectWhole(job);
  });
});
