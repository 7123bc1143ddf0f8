import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { type Stack, startStack, testDir, waitFor } from '#testing';
import { fileOf, TIMED } from '../clips/good.js';
import { isLongRun } from '../long-run.js';
import { jobEnd, MANY_SPANS, mustComplete, streamOf, upload } from '../pipeline/harness.js';
import { verifyStream } from '../verify/stream.js';

/**
 * In place of ffmpeg, with a device that works like libx264 where `mode` says that it is there: `there`,
 * `once` (for one span, then it goes), `second` (at the second process only). Else it is listed, and
 * cannot be opened, as on a machine without one.
 */
const STAND_IN = `#!/bin/bash
dir=$(dirname "$0")
case "$*" in *h264_nvenc*) ;; *) exec ffmpeg "$@";; esac
case $(cat "$dir/mode") in
  there) ;;
  once) case "$*" in *lavfi*) ;; *) mkdir "$dir/had" || exit 1;; esac;;
  second) case "$SCRATCH_DIR" in *-1) ;; *) exit 1;; esac;;
  *) echo "Cannot load libcuda.so.1" >&2; exit 1;;
esac
args=()
while [ $# -gt 0 ]; do
  case $1 in
    h264_nvenc) args+=(libx264 -sc_threshold 0); shift;;
    p[1-7]) args+=(ultrafast); shift;;
    -rc | -cq) shift 2;;
    -b:v) args+=(-crf 23); shift 2;;
    *) args+=("$1"); shift;;
  esac
done
exec ffmpeg "\${args[@]}"
`;
const PROFILES = {
  profiles: [
    { name: 'device', codec: 'h264', encoders: ['h264_nvenc', 'libx264'], copy: false },
    { name: 'device-only', codec: 'h264', encoders: ['h264_nvenc', 'h264_vaapi'] },
  ],
};
const clip = TIMED.find(({ name }) => name === 'no-sound') as (typeof TIMED)[number];

let dir: string;
let stack: Stack;
const behave = (mode: string) => writeFile(join(dir, 'mode'), mode);

/** Two processes, which have tried nothing yet. */
async function start(mode: string): Promise<void> {
  dir = await testDir('encoders');
  await behave(mode);
  await writeFile(join(dir, 'profiles.json'), JSON.stringify(PROFILES));
  await writeFile(join(dir, 'ffmpeg'), STAND_IN);
  await chmod(join(dir, 'ffmpeg'), 0o755);
  const env = { FFMPEG_PATH: join(dir, 'ffmpeg'), PROFILES_FILE: join(dir, 'profiles.json') };
  const plain = {
    ENABLE_DEDUPLICATION: 'false',
    QUALITY_SAMPLES: '0',
    STORYBOARD_TILES: '0',
    POSTER: 'false',
  };
  stack = await startStack({ env: { ...MANY_SPANS, ...plain, ...env }, services: { transcode: 2 } });
}
afterEach(async () => {
  await stack?.stop();
});

const send = async (profile: string) => upload(stack, await fileOf(clip), undefined, { profile });

/** Whole, of one encoder, which is told. */
async function encoderOf(id: string): Promise<{ name: string; denied: string[] }> {
  const job = await mustComplete(stack, id);
  const source = await fileOf(clip);
  const { problems } = await verifyStream(streamOf(stack, job), { source, frames: 'numbered' });
  expect(problems).toEqual([]);
  const [row] = await stack.query(
    `SELECT plan -> 'encoder' ->> 'name' AS name, encoders_denied AS denied FROM jobs WHERE id = $1`,
    [id],
  );
  return row as { name: string; denied: string[] };
}
const logged = async (words: string) => {
  const logs = await Promise.all([0, 1].map((worker) => stack.logs('transcode', worker)));
  return logs.map((log) => log.split('\n').filter((line) => line.includes(words)).length);
};

it.runIf(isLongRun)(
  'S0-16 a device that is listed and cannot be opened gives way to software before anything is encoded, and is tried once',
  async () => {
    await start('gone');
    for (const id of [await send('device'), await send('device')])
      expect(await encoderOf(id)).toEqual({ name: 'libx264', denied: [] });
    const tries = await logged('an encoder does not work here');
    expect(Math.max(...tries)).toBe(1);
    expect(await logged('a job changes its encoder')).toEqual([0, 0]);
  },
);

it('S0-16 a device that is lost in the middle: the job begins again in software, and has segments of one encoder only', async () => {
  await start('once');
  const id = await send('device');
  expect(await encoderOf(id)).toEqual({ name: 'libx264', denied: ['h264_nvenc'] });
  expect((await logged('a job changes its encoder')).reduce((a, b) => a + b)).toBe(1);
});

it.runIf(isLongRun)(
  'S0-16 work of a device is done by the process that has it, and refused when none has',
  async () => {
    await start('second');
    const id = await send('device-only');
    expect(await encoderOf(id)).toEqual({ name: 'h264_nvenc', denied: [] });

    await behave('gone');
    const lost = await jobEnd(stack, await send('device-only'));
    expect(lost).toMatchObject({ status: 'failed', error_code: 'encoder_unavailable' });
    const refused = () =>
      send('device-only').then(
        () => null,
        (error: { code?: string }) => error.code ?? null,
      );
    expect(await waitFor(refused, { what: 'an upload to be refused', timeoutMs: 20_000 })).toBe(
      'encoder_unavailable',
    );
  },
  60_000,
);
