import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Stack, startStack, testDir } from '#testing';
import { type Clip, fileOf, TIMED } from '../clips/good.js';
import { jobEnd, MANY_SPANS, mustComplete, upload, waitUntilClean } from '../pipeline/harness.js';

/** Frames of 30000/1001 end the process that has them converted. */
const STAND_IN = `#!/bin/bash
case "$*" in *fps=fps=30000/1001*) kill -9 $PPID;; esac
exec ffmpeg "$@"
`;
const named = (name: string) => TIMED.find((clip) => clip.name === name) as Clip;
const LIMIT_MS = 120_000;

describe('work that kills whoever does it', () => {
  let stack: Stack;
  let running = true;
  const deaths: Promise<void>[] = [];
  beforeAll(async () => {
    const path = join(await testDir('poison'), 'ffmpeg');
    await writeFile(path, STAND_IN);
    await chmod(path, 0o755);
    stack = await startStack({
      env: { ...MANY_SPANS, FFMPEG_PATH: path, SOURCE_RETENTION_HOURS: '0' },
    });
    deaths.push(keepAlive());
  });
  afterAll(async () => {
    running = false;
    await stack?.stop();
    await Promise.all(deaths);
  });

  /** As the launcher and Kubernetes do. */
  async function keepAlive(): Promise<void> {
    while (running) {
      await stack.processes.transcode[0]?.process.exited;
      // One that is killed as it starts is started again.
      if (running) await stack.restart('transcode').catch(() => undefined);
    }
  }

  it(
    'S0-16 is set aside after three deaths, with a reason that people see; its neighbours are not',
    async () => {
      const ids = { session: '', job: '' };
      await upload(stack, await fileOf(named('ntsc-rate')), (given) => Object.assign(ids, given));
      const good = await upload(stack, await fileOf(named('no-sound')));
      const view = await jobEnd(stack, ids.job, LIMIT_MS);
      expect(view).toMatchObject({
        status: 'failed',
        error_code: 'encode_failed',
        error_message: expect.stringContaining('ended its process three times'),
      });
      const spans = await stack.query(
        `SELECT unclean_deaths, attempts, error_message FROM spans WHERE job_id = $1 AND status = 'failed'`,
        [ids.job],
      );
      expect(spans).toEqual([{ unclean_deaths: 3, attempts: 0, error_message: view.error_message }]);
      await mustComplete(stack, good, LIMIT_MS);
      await waitUntilClean(stack, ids);
    },
    LIMIT_MS,
  );
});
