import { execFileSync } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { readMetrics, type Stack, startStack, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { jobOf, mustComplete, upload } from '../pipeline/harness.js';
import { slowLink } from './slow-link.js';

const WINDOW = 1;
const ONE_SPAN = {
  SEGMENT_SECONDS: '1',
  SPAN_SECONDS: '30',
  SPAN_CONCURRENCY: '1',
  ENCODER_PRESET: 'ultrafast',
  HANDOVER_WINDOW: String(WINDOW),
  ENABLE_DEDUPLICATION: 'false',
};
const PATIENCE = 120_000;
const plain = TIMED.find((clip) => clip.name === 'plain')!;
/** A mebibyte a second is what S0-12 speaks of; these clips are small. */
const SLOW = 384 * 1024;

let stack: Stack;
afterEach(() => stack?.stop());

/** Segments in the scratch, with their sizes, by rendition and run. */
async function inScratch(): Promise<Map<string, number[]>> {
  const dir = stack.processes.transcode[0]!.scratchDir;
  const runs = new Map<string, number[]>();
  for (const name of await readdir(dir, { recursive: true }).catch(() => [] as string[])) {
    const run = /^(.+)-\d+$/.exec(name)?.[1];
    if (!run?.includes('/') || !/\/(\d+p|audio)$/.test(run)) continue;
    const size = await stat(join(dir, name)).then(
      (file) => file.size,
      () => null,
    );
    if (size !== null) runs.set(run, [...(runs.get(run) ?? []), size]);
  }
  return runs;
}

const most = (runs: Map<string, number[]>) => Math.max(0, ...[...runs.values()].map((sizes) => sizes.length));
const bytesOf = (runs: Map<string, number[]>) =>
  [...runs.values()].flat().reduce((sum, size) => sum + size, 0);
const residentMb = () =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(stack.processes.transcode[0]!.process.pid)])) / 1024;

describe('segments on their way to the store', { timeout: PATIENCE }, () => {
  it('S0-12 a store that is slower than the encoder holds it: scratch and memory stay within bounds, no stall is seen', async () => {
    stack = await startStack({ env: ONE_SPAN });
    const link = await slowLink(stack, SLOW);
    try {
      const before = residentMb();
      const job = await upload(stack, await fileOf(plain));
      let [segments, bytes, memory, asked] = [0, 0, 0, 0];
      await waitFor(
        async () => {
          const runs = await inScratch();
          segments = Math.max(segments, most(runs));
          bytes = Math.max(bytes, bytesOf(runs));
          if (asked++ % 10 === 0) memory = Math.max(memory, residentMb());
          return (await jobOf(stack, job)).status !== 'processing' && bytes > 0;
        },
        { what: 'the job to end', timeoutMs: PATIENCE, intervalMs: 50 },
      );
      const view = await mustComplete(stack, job);
      // With the one that is being written.
      expect(segments).toBeLessThanOrEqual(WINDOW);
      const [largest] = await stack.query(
        'SELECT max(size)::integer AS size FROM segments WHERE job_id = $1',
        [job],
      );
      expect(bytes).toBeLessThanOrEqual(view.renditions.length * WINDOW * Number(largest?.size));
      expect(link.bytes()).toBeGreaterThan(4 * bytes);
      expect(memory - before).toBeLessThan(96);
      const counted = await readMetrics(stack.urls.transcode);
      expect(counted('sluice_ffmpeg_stalls_total')).toBe(0);
    } finally {
      link.close();
    }
  });

  it.runIf(isLongRun)(
    'S0-18 are handed over when their run has ended, where the way is switched off, and it can be switched while all runs',
    async () => {
      stack = await startStack({ env: { ...ONE_SPAN, WORKER_STREAMING_UPLOAD: 'false' } });
      const job = await upload(stack, await fileOf(plain));
      await waitFor(async () => most(await inScratch()) > WINDOW + 4, {
        what: 'more segments to be kept than may wait',
        timeoutMs: 60_000,
        intervalMs: 20,
      });
      await mustComplete(stack, job, PATIENCE);

      await stack.query(`INSERT INTO settings (name, value) VALUES ('worker_streaming_upload', 'true')`);
      const streamed = await upload(stack, await fileOf(plain));
      let kept = 0;
      await waitFor(
        async () => {
          kept = Math.max(kept, most(await inScratch()));
          return ['completed', 'failed'].includes((await jobOf(stack, streamed)).status);
        },
        { what: 'the job to end', timeoutMs: PATIENCE, intervalMs: 20 },
      );
      await mustComplete(stack, streamed);
      expect(kept).toBeLessThanOrEqual(WINDOW);
    },
  );
});
