import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type JobView } from '#contracts';
import { readMetrics, type Stack, startStack, testDir } from '#testing';
import { type Clip, COPIED, fileOf, TIMED } from '../clips/good.js';
import { jobEnd, MANY_SPANS, streamOf, upload, waitUntilClean } from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';

/** In place of ffmpeg; what it does instead of encoding is said by a file. */
const STAND_IN = `#!/bin/bash
case "$*" in *-version*) exec ffmpeg "$@";; esac
case $(cat "$(dirname "$0")/mode") in
  hang) echo out_time_us=1000; exec sleep 600;;
  half) args=(); for arg; do [ "$arg" = -i ] && args+=(-t 0.4); args+=("$arg"); done; exec ffmpeg "\${args[@]}";;
  narrow) echo "malloc of size $(ulimit -v) failed" >&2; exit 1;;
  broken-times) case "$*" in *+genpts*) ;; *'-c:v copy'*)
    echo "[mp4 @ 0x1] Can't write packet with unknown timestamp" >&2; exit 1;; esac;;
  hopeless-times) case "$*" in *"-c:v copy"*)
    echo 'Application provided invalid, non monotonically increasing dts to muxer' >&2; exit 1;; esac;;
esac
exec ffmpeg "$@"
`;
const named = (clips: Clip[], name: string) => clips.find((clip) => clip.name === name) as Clip;
const plain = named(TIMED, 'no-sound');
const fit = named(COPIED, 'fit-no-sound');

let dir: string;
let stack: Stack;
async function start(env: Record<string, string>): Promise<void> {
  dir = await testDir('bad-ffmpeg');
  const path = join(dir, 'ffmpeg');
  await writeFile(path, STAND_IN);
  await chmod(path, 0o755);
  const common = {
    ...MANY_SPANS,
    ENABLE_DEDUPLICATION: 'false',
    SOURCE_RETENTION_HOURS: '0',
    FFMPEG_PATH: path,
  };
  stack = await startStack({ env: { ...common, ...env }, services: { transcode: 2 } });
}

const behave = (mode: string) => writeFile(join(dir, 'mode'), mode);

async function run(clip: Clip): Promise<JobView> {
  const ids = { session: '', job: '' };
  await upload(stack, await fileOf(clip), (given) => Object.assign(ids, given));
  const view = await jobEnd(stack, ids.job);
  if (view.status === 'failed') await waitUntilClean(stack, ids);
  return view;
}

describe('an ffmpeg that hangs', () => {
  beforeAll(() => start({ FFMPEG_STALL_GRACE_SECONDS: '0.1', FFMPEG_STALL_SECONDS: '0.5' }));
  afterAll(() => stack?.stop());

  /** By worker: what it has logged of the job's stalls. */
  const stallsOf = async (job: string) => {
    const logs = await Promise.all([0, 1].map((worker) => stack.logs('transcode', worker)));
    return logs.map((log) =>
      log
        .split('\n')
        .filter((line) => line.includes('made no progress and was killed') && line.includes(job))
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    );
  };
  const counted = async (metric: string, labels: Record<string, string>) => {
    const all = stack.processes.transcode.map(async ({ url }) => (await readMetrics(url))(metric, labels));
    return (await Promise.all(all)).reduce((sum, count) => sum + count, 0);
  };

  it.each([
    {
      clip: plain,
      metric: 'sluice_ffmpeg_stalls_total',
      labels: { kind: 'video' } as Record<string, string>,
    },
    { clip: fit, metric: 'sluice_vod_remux_stalls_total', labels: { strategy: 'default' } },
  ])(
    'S4-04 S4-06 S4-08 is killed, counted in $metric, tried once more on the other worker, and the job fails with the reason',
    async ({ clip, metric, labels }) => {
      await behave('hang');
      const view = await run(clip);
      expect(view).toMatchObject({ status: 'failed', error_code: 'encode_stalled' });
      const failed = await stack.query(
        `SELECT id, attempts, params ->> 'copyStrategy' AS strategy FROM spans WHERE job_id = $1 AND status = 'failed'`,
        [view.id],
      );
      // Never answered with the next strategy.
      expect(failed).toMatchObject([{ attempts: 1, strategy: null }]);
      const stalls = (await stallsOf(view.id)).map((of) => of.filter((s) => s.span_id === failed[0]?.id));
      expect(stalls.map((of) => of.length)).toEqual([1, 1]);
      expect(
        stalls
          .flat()
          .map((s) => s.attempt)
          .toSorted(),
      ).toEqual([1, 2]);
      expect(stalls[0]?.[0]).toMatchObject({ last_out_time_us: 1000 });
      expect(stalls[0]?.[0]?.stalled_ms).toBeGreaterThan(500);
      expect(await counted(metric, labels)).toBeGreaterThanOrEqual(1);
    },
  );
});

describe('an ffmpeg that', () => {
  beforeAll(() => start({}));
  afterAll(() => stack?.stop());

  const verified = async (view: JobView, clip: Clip) => {
    expect(view).toMatchObject({ status: 'completed' });
    const { problems } = await verifyStream(streamOf(stack, view), {
      ...clip,
      source: await fileOf(clip),
      frames: 'numbered',
    });
    expect(problems).toEqual([]);
  };
  const strategyOf = async (job: string) =>
    (
      await stack.query(
        `SELECT params ->> 'copyStrategy' AS strategy FROM spans WHERE job_id = $1 AND kind = 'copy'`,
        [job],
      )
    )[0]?.strategy;

  it('S4-08 ends well with half of the output fails its job, after one more try', async () => {
    await behave('half');
    expect(await run(plain)).toMatchObject({ status: 'failed', error_code: 'encode_failed' });
  });

  it('comes to the end of its memory says so', async () => {
    await behave('narrow');
    expect(await run(plain)).toMatchObject({ status: 'failed', error_code: 'encode_out_of_memory' });
    const log = await Promise.all([0, 1].map((worker) => stack.logs('transcode', worker)));
    // ENCODE_MEMORY_MB, in KiB as the shell counts.
    expect(log.join()).toContain(`malloc of size ${8192 * 1024} failed`);
  });

  it('S4-05 cannot copy for the times of the source copies with regenerated ones', async () => {
    await behave('broken-times');
    const view = await run(fit);
    expect(await strategyOf(view.id)).toBe('fallback');
    await verified(view, fit);
  });

  it('S4-05 cannot copy at all for the times of the source encodes what it wanted to copy', async () => {
    await behave('hopeless-times');
    const view = await run(fit);
    const modes = await stack.query('SELECT DISTINCT mode FROM renditions WHERE job_id = $1', [view.id]);
    expect(modes).toEqual([{ mode: 'encode' }]);
    const log = await Promise.all([0, 1].map((worker) => stack.logs('transcode', worker)));
    expect(log.join()).toMatch(/the times of its frames are broken.*not copied, but encoded/);
    await verified(view, { ...fit, fit: false });
  });
});
